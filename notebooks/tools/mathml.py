"""LaTeX formulas as MathML, so that a page shows them with no script and no network.

latex2mathml does the translation. It passes on what it doesn't know (``\\foo`` becomes the text
``\\foo``) and types symbols as letters (``I(X;Y)`` without the space after the semicolon), so the
result is read again here: what was not understood is refused, and the spacing follows TeX's rules.
"""

import re
import xml.etree.ElementTree as ElementTree
from html import escape

from latex2mathml.converter import convert

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ENVIRONMENTS = {"align*", "array", "bmatrix", "cases", "matrix", "pmatrix", "split", "vmatrix"}
DELIMITERS = {  # after \\big and its like they are passed on as they came
    r"\langle": "⟨",
    r"\rangle": "⟩",
    r"\{": "{",
    r"\}": "}",
    **dict.fromkeys((r"\|", r"\lVert", r"\rVert"), "‖"),
    **dict.fromkeys((r"\lvert", r"\rvert"), "|"),
}
THIN = "0.167em"  # TeX's \,
REWRITTEN = {  # what latex2mathml has under another name only
    r"\begin{aligned}": r"\begin{align*}",
    r"\end{aligned}": r"\end{align*}",
    r"\operatorname*": r"\operatorname",
    r"\mathbb{1}": "𝟙",
}
BELOW = {"max", "min", "sup", "inf", "lim", "argmax", "argmin"}  # limits go under, in display


class FormulaError(ValueError):
    """A formula that cannot be translated."""


def to_mathml(latex: str, *, display: bool = False) -> str:
    """A ``<math>`` element for ``latex`` (without dollars), or FormulaError if not understood."""
    source = latex.strip()
    for theirs, ours in REWRITTEN.items():
        source = source.replace(theirs, ours)
    if unknown := set(re.findall(r"\\begin\{(.*?)\}", source)) - ENVIRONMENTS:
        raise FormulaError(f"cannot translate {latex!r}: {unknown.pop()} is no known environment")
    try:
        text = convert(source, display="block" if display else "inline")
        root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", text))
    except Exception as error:  # its errors have no common base, and a bare & is no XML
        raise FormulaError(f"cannot translate {latex!r}: {type(error).__name__}") from error
    for element in root.iter():
        _retype(element)
    for element in root.iter():
        _refuse(element, latex)
        _space(element)
        if display and element.tag == "msub" and element[0].text in BELOW:
            element.tag = "munder"
    root.set("xmlns", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")


def to_html(latex: str, *, display: bool = False) -> str:
    """The same, or the LaTeX source marked ``class="tex"`` where it cannot be translated."""
    try:
        return to_mathml(latex, display=display)
    except FormulaError:
        return f'<code class="tex">{escape(latex.strip())}</code>'


def _retype(element: ElementTree.Element) -> None:
    """Symbols become operators, which is what gives them their space in a browser."""
    text = element.text or ""
    if element.tag == "mo":
        text = element.text = DELIMITERS.get(text, text)
    if element.tag == "mi" and len(text) == 1 and not text.isalpha():
        element.tag, element.text = "mo", "∼" if text == "~" else text
    if element.tag == "mi" and len(text) > 1 and text.isalpha():  # log, exp, sin
        element.tag = "mo"
    if element.tag == "mo" and text == "|":  # the bars of an absolute value stand close
        element.attrib.update(lspace="0", rspace="0")
    if element.tag == "mtext":
        element.text = re.sub(r"\\([_%&$#])", r"\1", text)
    if element.tag == "mspace" and element.get("width") == "negativethinmathspace":
        element.set("width", f"-{THIN}")


def _refuse(element: ElementTree.Element, latex: str) -> None:
    """Leftovers of an unknown command, and fractions or scripts with a part missing."""
    parts = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2}
    text = element.text or ""
    if "\\" in text or "&" in text:
        raise FormulaError(f"cannot translate {latex!r}: {text!r} is not understood")
    if len(element) < parts.get(element.tag, 0):
        raise FormulaError(f"cannot translate {latex!r}: incomplete {element.tag}")


def _space(row: ElementTree.Element) -> None:
    """Thin spaces around the name of a function; none beside an operator or before its bracket."""
    for before, child, after in zip([None, *row], row, [*row[1:], None], strict=False):
        core = child[0] if child.tag in ("msub", "msup", "msubsup") and len(child) else child
        if core.tag == "mo" and len(core.text or "") > 1 and (core.text or "").isalpha():
            starts = before is None or (before.tag == "mo" and before.text not in (")", "]", "}"))
            opens = after is None or after.text in ("(", "[", "{")
            core.set("lspace", "0" if starts else THIN)
            core.set("rspace", "0" if opens else THIN)
