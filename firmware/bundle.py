# SPDX-License-Identifier: Apache-2.0
"""Appends the Python core to the launcher: a zip of byte code behind the ELF file.

Reproducible: names sorted, dates fixed, byte code with the source's hash in it and no path of the machine
that built it. Python's zip importer finds the archive at the end of the executable.

Usage: bundle.py LAUNCHER OUTPUT
"""

from __future__ import annotations
import __future__

import ast
import importlib.util
import marshal
import shutil
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATE = (1980, 1, 1, 0, 0, 0)
UNREAD = __future__.annotations.compiler_flag  # types stay text


def byte_code(source: Path, name: str) -> bytes:
    """The content of a .pyc file that is never checked against a source (PEP 552, flags 0b01)."""
    text = source.read_bytes()
    code = compile(_bare(ast.parse(text)), f"qx:{name}", "exec", UNREAD, dont_inherit=True, optimize=0)
    flags = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(text) + marshal.dumps(code)


def _bare(tree: ast.Module) -> ast.Module:
    """Without docstrings, which nobody reads on a unit: 0.2 MB of each daemon. Asserts stay. A class keeps a
    word, since a dataclass without any makes itself one at import, from its signature, and that is slow.
    Types of functions go as well, and what is only there for a type checker; those of fields make a dataclass
    what it is."""
    tree = _Typeless().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        if isinstance(node, ast.ClassDef):
            node.body.insert(0, ast.Expr(ast.Constant("-")))
        elif not node.body and not isinstance(node, ast.Module):
            node.body.append(ast.Pass())
    return ast.fix_missing_locations(tree)


def _bodyless(node: ast.stmt) -> bool:
    """A function that says no more than its type."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in node.body)


class _Typeless(ast.NodeTransformer):
    """Takes away `if TYPE_CHECKING:`, what a Protocol lists, and the types of variables, but for those of a
    class; and `from __future__`, of which the compiler's flag is left."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(one) for one in node.orelse] or ast.Pass()
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            node.body = [
                one for one in node.body if not isinstance(one, ast.AnnAssign) and not _bodyless(one)
            ]
        node.body = [one if isinstance(one, ast.AnnAssign) else self.visit(one) for one in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def main() -> int:
    if len(sys.argv) != 3:
        print(str(__doc__).splitlines()[-1], file=sys.stderr)
        return 2
    launcher, output = Path(sys.argv[1]), Path(sys.argv[2])
    fresh = output.with_suffix(".new")
    shutil.copyfile(launcher, fresh)
    with zipfile.ZipFile(fresh, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted((HERE / "qx").rglob("*")):
            name = path.relative_to(HERE).as_posix()
            if path.suffix == ".py":
                info = zipfile.ZipInfo(name + "c", DATE)
                content = byte_code(path, name)
            elif path.is_file() and path.suffix != ".pyc":
                info = zipfile.ZipInfo(name, DATE)
                content = path.read_bytes()
            else:
                continue
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    fresh.chmod(0o755)
    fresh.replace(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
