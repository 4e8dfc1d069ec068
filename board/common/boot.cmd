# SPDX-License-Identifier: Apache-2.0
# qx boot: which slot starts (docs/hardware.md, "Slots"). U-Boot's distro boot sets devtype and devnum; the board's
# own lines come before this file: qx_work (64 KiB of RAM more than twice), fit (40 MiB), qx_console, qx_rest.
#
# The environment of the slots is in the partition `env`: two copies in U-Boot's redundant form, 0x4000 octets each
# at 0 and 0x4000: CRC-32, one octet of flag (the newer counts, modulo 256), name=value with a zero octet behind each.
# Only the older copy is ever written, so a write that power cuts leaves the newer one. U-Boot's own import knows the
# form without the flag: a copy is looked at where its flag has been left out.
#   slot    A or B: the slot to start
#   tries   how many starts a slot on trial has left; not there: the slot is confirmed and nothing is written
#   failed  the slot that was on trial and did not come up healthy, until Linux has told of it
# Other variables are not kept by a start on trial.

setenv one ${qx_work}
setexpr two ${qx_work} + 0x4000
setexpr plain ${qx_work} + 0x10000
setenv good_one; setenv good_two; setenv slot; setenv tries; setenv failed

${devtype} dev ${devnum}
part start ${devtype} ${devnum} env where_one
setexpr where_two ${where_one} + 0x20
${devtype} read ${one} ${where_one} 0x40
setexpr plain_data ${plain} + 4

setexpr flag_at ${one} + 4
setexpr data_at ${one} + 5
setexpr.b flag_one *${flag_at}
cp.b ${one} ${plain} 4; cp.b ${data_at} ${plain_data} 0x3ffb
if env import -c ${plain} 0x3fff slot; then setenv good_one 1; fi

setexpr flag_at ${two} + 4
setexpr data_at ${two} + 5
setexpr.b flag_two *${flag_at}
cp.b ${two} ${plain} 4; cp.b ${data_at} ${plain_data} 0x3ffb
if env import -c ${plain} 0x3fff slot; then setenv good_two 1; fi

setexpr ahead ${flag_two} + 0x100
setexpr ahead ${ahead} - ${flag_one}
setexpr ahead ${ahead} % 0x100
setenv newest
if test -n "${good_one}"; then setenv newest one; fi
if test -n "${good_two}"; then
	if test -z "${good_one}"; then setenv newest two; fi
	if itest ${ahead} > 0; then if itest ${ahead} < 0x80; then setenv newest two; fi; fi
fi
if test "${newest}" = "one"; then
	setenv copy ${one}; setenv flag ${flag_one}; setenv write_to ${where_two}
fi
if test "${newest}" = "two"; then
	setenv copy ${two}; setenv flag ${flag_two}; setenv write_to ${where_one}
fi
setenv slot
if test -n "${newest}"; then
	setexpr data_at ${copy} + 5
	cp.b ${copy} ${plain} 4; cp.b ${data_at} ${plain_data} 0x3ffb
	env import -c ${plain} 0x3fff slot tries failed
fi
if test "${slot}" = "A"; then true; elif test "${slot}" = "B"; then true; else
	echo "qx: no slot is named: slot A"
	setenv slot A; setenv tries; setenv failed
fi

# On trial: one start less, and the other slot when none is left. What is written is read back by the next start.
if test -n "${tries}"; then
	if itest ${tries} > 0; then
		setexpr tries ${tries} - 1
	else
		setenv failed ${slot}; setenv tries
		if test "${slot}" = "A"; then setenv slot B; else setenv slot A; fi
		echo "qx: slot ${failed} did not come up: back to slot ${slot}"
	fi
	mw.b ${plain} 0 0x4000
	env export -c -s 0x3fff ${plain} slot tries failed
	mw.b ${one} 0 0x4000
	setexpr flag ${flag} + 1
	setexpr flag ${flag} % 0x100
	setexpr flag_at ${one} + 4
	setexpr data_at ${one} + 5
	cp.b ${plain} ${one} 4; mw.b ${flag_at} ${flag} 1; cp.b ${plain_data} ${data_at} 0x3ffb
	${devtype} write ${one} ${write_to} 0x20
fi

# The kernel of the slot, checked by its hash; where it is damaged the other slot's, without a word written.
setenv qx_start 'part start ${devtype} ${devnum} kernel-${part} where; part size ${devtype} ${devnum} kernel-${part} count; ${devtype} read ${fit} ${where} ${count}; setenv bootargs ${qx_console} root=PARTLABEL=rootfs-${part} rootfstype=squashfs ro rootwait quiet panic=5 qx.slot=${slot} ${qx_failed}; bootm ${fit}#qx ${qx_rest}'
setenv qx_failed
if test -n "${failed}"; then setenv qx_failed "qx.rolled_back=${failed}"; fi
for turn in 1 2; do
	if test "${slot}" = "A"; then setenv part a; else setenv part b; fi
	echo "qx: slot ${slot}, tries ${tries}"
	run qx_start
	setenv qx_failed "qx.failed=${slot}"
	if test "${slot}" = "A"; then setenv slot B; else setenv slot A; fi
done
echo "qx: no slot can be started"
sleep 10
reset
