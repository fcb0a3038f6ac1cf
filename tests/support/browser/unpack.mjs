// Unpacks the Chromium of npm's @sparticuz/chromium (the folder named first) into $TMPDIR, with the
// libraries a bare machine may lack beside it.
const place = process.argv[2];
const { default: chromium, inflate } = await import(`${place}/build/index.js`);
await chromium.executablePath();
await inflate(`${place}/bin/al2023.tar.br`);
