"""Claims that no experiment tests yet; each moves to the experiment that will test it."""

from sweeps.claims.claim import Claim

_TABLE_1 = {
    "a": ("Piano-midi.de", "7.56 / 7.53 / 7.46 nats a step"),
    "b": ("Nottingham", "3.80 / 3.48 / 3.36 nats a step"),
    "c": ("MuseData", "7.11 / 7.00 / 6.97 nats a step"),
    "d": ("Penn Treebank, next character", "1.50 / 1.42 / 1.41 bits"),
    "e": ("Penn Treebank, 5th character", "– / 3.89 / 3.74 bits"),
}

UNCLAIMED = (
    *(
        Claim(
            number=f"5{letter}",
            source="Table 1",
            says=f"{data}: clipping, and Ω beside it, lower the error on the test set",
            paper=f"MSGD / -C / -CR: {values}",
        )
        for letter, (data, values) in _TABLE_1.items()
    ),
    Claim(
        number="6a",
        source="Section 2.1",
        says="λ₁ < 1/γ is sufficient for gradients to vanish",
        paper="proof",
    ),
    Claim(
        number="6b",
        source="Section 2.1",
        says="λ₁ > 1/γ is necessary for gradients to explode",
        paper="proof",
    ),
    Claim(
        number="7",
        source="Section 2.2, Figure 3",
        says="a one-unit map has an interval of b with two attractors, and crossing the "
        "boundary of a basin, not a bifurcation alone, makes gradients explode",
        paper="figure",
    ),
    Claim(
        number="8",
        source="Section 2.3, Figure 6",
        says="the error surface of a one-unit model has a cliff, and rescaled steps stay by it",
        paper="figure",
    ),
    Claim(
        number="9",
        source="Section 3.1",
        says="earlier remedies: L1 and L2 penalties on W_rec, teacher forcing, LSTM, "
        "Hessian-free with structural damping, echo state networks with leaky units, clipping "
        "of each entry",
        paper="named, not measured",
    ),
)
