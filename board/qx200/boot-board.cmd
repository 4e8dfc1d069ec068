# QX200: 1 GiB of RAM from 0; the device tree is in the slot's FIT.
# load 0x02000000
setenv qx_work 0x06000000
setenv fit 0x08000000
setenv qx_console console=ttyMV0,115200
setenv qx_rest
