# The emulated board: 512 MiB of RAM from 0x40000000, the emulator's device tree, PL011 as serial line.
setenv qx_work 0x46000000
setenv fit 0x48000000
# A kernel at a random address isolates its page table, and then each system call costs an emulated processor its TLB.
setenv qx_console console=ttyAMA0,115200 nokaslr kpti=off
setenv qx_rest "${fit}:ramdisk ${fdtcontroladdr}"
