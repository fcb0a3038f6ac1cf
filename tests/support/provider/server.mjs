// A certified OpenID provider (npm oidc-provider) for tests, with a few doors tests need beside it.
// LOCKGATE_NODE_MODULES says where the packages are. The first line of standard input is a JSON
// object of settings (see __init__.py); the first line of standard output is {"issuer": ...}.
// It ends when its standard input does.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import http from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = process.env.LOCKGATE_NODE_MODULES;
const load = (path) => import(pathToFileURL(join(modules, path)).href);
const { default: Provider, errors } = await load("oidc-provider/lib/index.js");
const jose = await load("jose/dist/webapi/index.js");

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const settings = {
  clients: [],
  registration: false,
  client_id_metadata: false,
  resources: { "*": {} },
  scopes: [],
  introspection: true,
  revocation: true,
  accounts: {},
  id_token_ttl: 600,
  access_token_ttl: 600,
  refresh: "when granted",
  iss_parameter: true,
  issuer: null,
};
let issuer;
let provider;
let answer;
let keys = [newKey("RSA"), newKey("EC")];
const seen = [];
const broken = new Map();

// What was issued outlives changes of settings and keys, for which there is another Provider.
const kept = new Map();
const byGrant = new Map();

class Kept {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload, expiresIn) {
    const ends = expiresIn ? Date.now() + expiresIn * 1000 : Infinity;
    kept.set(this.key(id), { payload: { ...payload }, ends });
    if (payload.grantId) {
      byGrant.set(payload.grantId, [...(byGrant.get(payload.grantId) ?? []), this.key(id)]);
    }
  }
  async find(id) {
    const found = kept.get(this.key(id));
    return found && found.ends > Date.now() ? found.payload : undefined;
  }
  async findByUid(uid) {
    for (const [key, { payload }] of kept) {
      if (key.startsWith(`${this.model}:`) && payload.uid === uid) return payload;
    }
    return undefined;
  }
  async consume(id) {
    const found = kept.get(this.key(id));
    if (found) found.payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    kept.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) kept.delete(key);
    byGrant.delete(grantId);
  }
}

function newKey(kind) {
  const { privateKey } =
    kind === "RSA"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const alg = kind === "RSA" ? "RS256" : "ES256";
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg, kid: randomUUID() };
}

function resource(name) {
  const chosen = settings.resources[name] ?? settings.resources["*"];
  if (!chosen) throw new errors.InvalidTarget();
  return {
    scope: chosen.scope ?? settings.scopes.join(" "),
    audience: chosen.audience ?? name,
    accessTokenTTL: chosen.ttl ?? settings.access_token_ttl,
    accessTokenFormat: chosen.format ?? "jwt",
    jwt: { sign: { alg: chosen.alg ?? "RS256" } },
  };
}

function build() {
  const own = settings.scopes;
  provider = new Provider(issuer, {
    adapter: Kept,
    clients: settings.clients,
    scopes: ["openid", "offline_access", "email", "profile", "groups", ...own],
    claims: { openid: ["sub"], email: ["email"], profile: ["name"], groups: ["groups"] },
    conformIdTokenClaims: false,
    jwks: { keys },
    cookies: { keys: ["only for tests"] },
    allowOmittingSingleRegisteredRedirectUri: false,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: { enabled: true },
      introspection: { enabled: settings.introspection },
      revocation: { enabled: settings.revocation },
      registration: { enabled: settings.registration },
      clientIdMetadataDocument: settings.client_id_metadata
        ? { enabled: true, ack: "draft-02" }
        : { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, name) => resource(name),
        useGrantedResource: () => true,
      },
    },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@example.com`, name: sub, ...settings.accounts[sub] }),
    }),
    extraTokenClaims: (_ctx, token) => settings.accounts[token.accountId],
    issueRefreshToken: (_ctx, client, code) =>
      client.grantTypeAllowed("refresh_token") &&
      (settings.refresh === "always" || code.scopes.has("offline_access")),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? settings.access_token_ttl,
      ClientCredentials: (_ctx, token) =>
        token.resourceServer?.accessTokenTTL ?? settings.access_token_ttl,
      IdToken: settings.id_token_ttl,
      AuthorizationCode: 60,
      RefreshToken: 86400,
      Grant: 86400,
      Interaction: 600,
      Session: 86400,
    },
  });
  provider.registerGrantType(
    TOKEN_EXCHANGE,
    exchange,
    ["subject_token", "subject_token_type", "requested_token_type", "audience", "resource", "scope"],
  );
  answer = provider.callback();
}

// RFC 8693, as little as tests need: an access token of ours for one with another audience.
async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  if (params.subject_token_type !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest("subject_token_type must be an access token");
  }
  const subject = await whose(params.subject_token);
  const target = params.resource ?? params.audience;
  if (!target) throw new errors.InvalidRequest("resource or audience is required");
  const grant = new provider.Grant({ accountId: subject, clientId: client.clientId });
  grant.addResourceScope(target, params.scope ?? resource(target).scope);
  const grantId = await grant.save();
  const token = new provider.AccessToken({
    accountId: subject, client, grantId, scope: params.scope, gty: "token_exchange",
  });
  token.resourceServer = new provider.ResourceServer(target, resource(target));
  const value = await token.save();
  ctx.body = {
    access_token: value,
    issued_token_type: ACCESS_TOKEN,
    token_type: "Bearer",
    expires_in: token.expiration,
    scope: token.scope,
  };
}

async function whose(token) {
  const opaque = await provider.AccessToken.find(token);
  if (opaque) return opaque.accountId;
  try {
    const known = jose.createLocalJWKSet({ keys: keys.map(({ d, p, q, dp, dq, qi, ...rest }) => rest) });
    return (await jose.jwtVerify(token, known, { issuer })).payload.sub;
  } catch {
    throw new errors.InvalidGrant("subject_token is not valid");
  }
}

// What tests ask for beside the protocol.
const doors = {
  async settings(asked) {
    Object.assign(settings, asked);
    build();
    return {};
  },
  // New keys sign; the old ones stay published when asked to.
  async rotate({ keep = true }) {
    const fresh = [newKey("RSA"), newKey("EC")];
    keys = keep ? [...fresh, ...keys] : fresh;
    build();
    return { kid: fresh[0].kid };
  },
  // A token with exactly this content, signed by the provider's newest key of that algorithm.
  async sign({ claims, header }) {
    const alg = header.alg ?? "RS256";
    const jwk = keys.find((key) => key.alg === alg);
    const key = await jose.importJWK(jwk, alg);
    const made = new jose.SignJWT(claims).setProtectedHeader({ kid: jwk.kid, ...header, alg });
    return { token: await made.sign(key) };
  },
  async fail({ path, status, body, times = 1e9 }) {
    if (status) broken.set(path, { status, body: body ?? "{}", times });
    else broken.delete(path);
    return {};
  },
  async seen() {
    return { requests: seen };
  },
};

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (pathname.startsWith("/_test/")) {
    try {
      const said = await doors[pathname.slice(7)](JSON.parse((await read(request)) || "{}"));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(said));
    } catch (problem) {
      response.statusCode = 500;
      response.end(String(problem?.stack));
    }
    return;
  }
  if (seen.push(`${request.method} ${pathname}`) > 10_000) seen.shift();
  const failing = broken.get(pathname);
  if (failing && failing.times-- > 0) {
    response.statusCode = failing.status;
    response.setHeader("content-type", "application/json");
    response.end(failing.body);
    return;
  }
  if (!settings.iss_parameter) dropIss(response);
  answer(request, response);
});

// A provider that knows nothing of RFC 9207.
function dropIss(response) {
  const set = response.setHeader.bind(response);
  response.setHeader = (name, value) => {
    if (name.toLowerCase() !== "location" || !String(value).includes("iss=")) return set(name, value);
    const place = new URL(value);
    place.searchParams.delete("iss");
    return set(name, place.href);
  };
}

const lines = createInterface({ input: process.stdin });
lines.once("line", (line) => {
  Object.assign(settings, JSON.parse(line));
  server.listen(0, "127.0.0.1", () => {
    issuer = settings.issuer ?? `http://127.0.0.1:${server.address().port}`;
    build();
    process.stdout.write(`${JSON.stringify({ issuer })}\n`);
  });
});
lines.once("close", () => process.exit(0));
