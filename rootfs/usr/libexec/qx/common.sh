# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the scripts of a unit share. Read with `.`, changes nothing by itself.

# What went wrong at start, one line each: "severity<tab>name<tab>description". The daemon makes events of it.
TROUBLE=/run/qx/trouble

# say WORDS: to the serial line and the log
say() {
	echo "qx: $*" >/dev/console
	logger -t qx-boot "$*" 2>/dev/null
	return 0
}

# trouble SEVERITY NAME DESCRIPTION: said, and kept for the daemon
trouble() {
	say "$2: $3"
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$TROUBLE"
}

# argument NAME: the value of qx.NAME on the kernel's command line, nothing where it is not there
argument() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^qx\.$1=//p" | tail -n 1
}
