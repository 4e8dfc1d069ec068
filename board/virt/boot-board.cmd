# The emulated board: 512 MiB of RAM from 0x40000000, the emulator's device tree, PL011 as serial line.
setenv qx_work 0x46000000
setenv fit 0x48000000
setenv qx_console console=ttyAMA0,115200
setenv qx_rest "${fit}:ramdisk ${fdtcontroladdr}"
