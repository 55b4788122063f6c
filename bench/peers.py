"""The same report by two well-known formats: what would JWE and JWS, or age with a signature, cost? In verifies.

JWE with ECDH-ES+A256KW and A256GCM inside a JWS with EdDSA, by ``joserfc``; age inside an Ed25519 signature, by
``pyrage``. Both are given the easier task: one ciphertext for the whole report where ours has a key, a commitment and
a label for each portion, no cut for each reader, and no strict check of what was opened.
"""

import json
from collections.abc import Callable

import pyrage
from joserfc import jwe, jws
from joserfc.jwk import OKPKey

from bench.measure import Effort, interleave, read_arguments, report_costs
from bench.seal_open import cut_for, opener
from bench.stage import Ready, make_ready, portions
from schemas.codec import pack
from sealing.entropy import SystemEntropy
from sealing.keys import new_sign_pair
from sealing.primitives import SIGN_RELEASE, sign, verify

_SIGNATURE_BYTES = 64
_KEY_WRAP, _CIPHER, _SIGNATURE = "ECDH-ES+A256KW", "A256GCM", "Ed25519"
_JWE = jwe.JWERegistry(algorithms=[_KEY_WRAP, _CIPHER])


def _written() -> bytes:
    return pack([item.content for item in portions()])


def _jose_sealer(signer: OKPKey, readers: list[OKPKey]) -> Callable[[], str]:
    def seal() -> str:
        message = jwe.GeneralJSONEncryption({"enc": _CIPHER}, _written())
        for reader in readers:
            message.add_recipient({"alg": _KEY_WRAP}, reader)
        sealed = json.dumps(jwe.encrypt_json(message, None, registry=_JWE)).encode()
        return jws.serialize_compact({"alg": _SIGNATURE}, sealed, signer, algorithms=[_SIGNATURE])

    return seal


def _jose_opener(signer: OKPKey, reader: OKPKey) -> Callable[[], bytes]:
    copy = _jose_sealer(signer, [reader])()

    def open_copy() -> bytes:
        signed = jws.deserialize_compact(copy, signer, algorithms=[_SIGNATURE])
        opened = jwe.decrypt_json(json.loads(signed.payload), reader, registry=_JWE).plaintext
        return bytes(opened or b"")

    return open_copy


def _age_sealer(secret: bytes, readers: list[pyrage.x25519.Recipient]) -> Callable[[], bytes]:
    def seal() -> bytes:
        sealed: bytes = pyrage.encrypt(_written(), readers)
        return sign(secret, SIGN_RELEASE, sealed) + sealed

    return seal


def _age_opener() -> Callable[[], bytes]:
    signer, reader = new_sign_pair(SystemEntropy()), pyrage.x25519.Identity.generate()
    copy = _age_sealer(signer.secret, [reader.to_public()])()

    def open_copy() -> bytes:
        signature, sealed = copy[:_SIGNATURE_BYTES], copy[_SIGNATURE_BYTES:]
        verify(signer.public, SIGN_RELEASE, sealed, signature)
        opened: bytes = pyrage.decrypt(sealed, [reader])
        return opened

    return open_copy


def _our_sealer(ready: Ready, count: int) -> Callable[[], bytes]:
    releaser = ready.releaser(count)
    return lambda: releaser.release(ready.seal_report())


def main(effort: Effort) -> None:
    counts = (1, 3) if effort.quick else (1, 10, 60, 500)
    ready = make_ready(counts[-1] + 1, SystemEntropy())
    signer = OKPKey.generate_key("Ed25519")
    jose_readers = [OKPKey.generate_key("X25519") for _ in range(counts[-1])]
    age_signer = new_sign_pair(SystemEntropy())
    age_readers = [pyrage.x25519.Identity.generate().to_public() for _ in range(counts[-1])]
    for count in counts:
        cases: dict[str, Callable[[], object]] = {
            f"sandiwara-seal-{count}": _our_sealer(ready, count),
            f"jose-seal-{count}": _jose_sealer(signer, jose_readers[:count]),
            f"age-seal-{count}": _age_sealer(age_signer.secret, age_readers[:count]),
        }
        report_costs(effort, "peers", interleave(cases, effort))
    reader = ready.stage.agencies[1]
    jose, age = _jose_opener(signer, jose_readers[0]), _age_opener()
    assert jose() == age() == _written()
    cases = {
        "sandiwara-open": opener(ready, cut_for(_our_sealer(ready, counts[-1])(), reader), reader),
        "jose-open": jose,
        "age-open": age,
    }
    report_costs(effort, "peers", interleave(cases, effort))


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
