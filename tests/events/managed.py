# SPDX-License-Identifier: Apache-2.0
"""What a network management system makes of the units: MIBs compiled by pysmi, numbers named by pysnmp.

Our own MIB, and those of the RFCs as Debian's keepalived brings them. `mibs/` has what these need of the base
MIBs, whose texts Debian does not ship.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from board.lab.namespace import PROJECT
from pysmi.codegen import PySnmpCodeGen
from pysmi.compiler import MibCompiler
from pysmi.parser import SmiV2Parser
from pysmi.reader import FileReader
from pysmi.searcher import PyPackageSearcher, StubSearcher
from pysmi.writer import PyFileWriter
from pysnmp.smi import builder, view

OURS = PROJECT / "rootfs/usr/share/snmp/mibs/QX-REDUNDANCY-MIB.txt"
BASES = Path(__file__).parent / "mibs"
KEEPALIVED = Path("/usr/share/snmp/mibs")
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
MODULES = {2: "VRRP-MIB", 3: "VRRPV3-MIB"}  # of the RFCs, by the version of VRRP


class Named(NamedTuple):
    """One value: the object's name, what is behind it in the OID, and the value in the MIB's words."""

    name: str
    index: tuple[int, ...]
    value: str


class Mibs:
    """The modules, compiled into `folder`; any warning is an error."""

    def __init__(self, folder: Path, *modules: str) -> None:
        folder.mkdir(exist_ok=True)
        compiler = MibCompiler(SmiV2Parser(tempdir=str(folder)), PySnmpCodeGen(), PyFileWriter(str(folder)))
        # keepalived's VRRPv3-MIB.txt is no file of a module's name.
        (folder / "VRRPV3-MIB.txt").write_bytes((KEEPALIVED / "VRRPv3-MIB.txt").read_bytes())
        sources = (OURS.parent, BASES, folder, KEEPALIVED)
        compiler.add_sources(*(FileReader(str(source)) for source in sources))
        compiler.add_searchers(StubSearcher(*PySnmpCodeGen.baseMibs), PyPackageSearcher("pysnmp.smi.mibs"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            done = compiler.compile(*modules, genTexts=True)
        for module in modules:
            assert str(done[module]) == "compiled", getattr(done[module], "error", done)
        self._builder = builder.MibBuilder()
        self._builder.add_mib_sources(builder.DirMibSource(str(folder)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pysmi writes calls that pysnmp has renamed
            self._builder.load_modules(*modules)
        self._view = view.MibViewController(self._builder)

    def name(self, oid: str) -> tuple[str, tuple[int, ...]]:
        """The name of the nearest object above, and the rest of the OID."""
        numbers = tuple(int(part) for part in oid.strip(".").split("."))
        _, names, rest = self._view.get_node_name(numbers)
        return str(names[-1]), tuple(rest)

    def named(self, oid: str, value: Any) -> Named:
        """Raises pysnmp's error where the MIB's type does not have the value."""
        name, rest = self.name(oid)
        module, label, _ = self._view.get_node_location(
            tuple(int(part) for part in oid.strip(".").split("."))
        )
        (node,) = self._builder.import_symbols(module, label)
        return Named(name, rest, str(node.syntax.clone(value).prettyPrint()))

    def said(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What a notification says, by name; every one says the time that its sender runs."""
        told = (self.named(oid, value) for oid, value in variables.items() if oid != SYS_UP_TIME)
        return {one.name: one.value for one in told}
