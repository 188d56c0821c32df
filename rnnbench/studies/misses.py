"""What was tried where a claim did not come out, beside the claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rnnbench.runner.claims import NOT_REPRODUCED, PARTLY, Claim


def told(claims: Iterable[Claim], misses: Mapping[str, str]) -> list[Claim]:
    """Return the claims; the notes of those that came out partly or not at all go on with the words in `misses`.

    Parameters
    ----------
    claims : iterable of Claim
    misses : dict of str
        By the claims' names.

    Raises
    ------
    KeyError
        For a name that no claim has.
    """
    claims = list(claims)
    if unknown := set(misses) - {claim.name for claim in claims}:
        raise KeyError(f"misses: no claim is called {sorted(unknown)}")
    return [
        replace(claim, note=f"{claim.note} {misses[claim.name]}".strip())
        if claim.name in misses and claim.verdict in (PARTLY, NOT_REPRODUCED)
        else claim
        for claim in claims
    ]
