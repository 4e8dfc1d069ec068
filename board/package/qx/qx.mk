################################################################################
#
# qx
#
################################################################################

QX_VERSION = 1.0.0
QX_SITE = $(BR2_EXTERNAL_QX_PATH)/..
QX_SITE_METHOD = local
QX_LICENSE = Apache-2.0
QX_LICENSE_FILES = LICENSE
QX_DEPENDENCIES = host-pkgconf host-python3 host-python-cffi libmnl python3
QX_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude out --exclude tests --exclude docs --exclude .hypothesis

QX_CFLAGS = $(TARGET_CFLAGS) -std=gnu11 -D_GNU_SOURCE -g0 -fPIC \
	-fvisibility=hidden -ffile-prefix-map=$(@D)=.

# The objects of the firmware as `make firmware` makes them, by Buildroot's
# compiler, and Python's byte code by Buildroot's own interpreter.
define QX_BUILD_CMDS
	$(HOST_DIR)/bin/python3 $(@D)/cext/build.py emit $(@D)/_qx.c
	$(TARGET_CC) $(QX_CFLAGS) -pie -s -I$(@D)/cext \
		-I$(STAGING_DIR)/usr/include/python$(PYTHON3_VERSION_MAJOR) \
		$(sort $(wildcard $(@D)/cext/*.c)) $(@D)/_qx.c -o $(@D)/launcher \
		-Wl,-z,relro,-z,now,--build-id=none \
		-lpython$(PYTHON3_VERSION_MAJOR) -lmnl -lpthread
	$(HOST_DIR)/bin/python3 -X no_debug_ranges $(@D)/firmware/bundle.py \
		$(@D)/launcher $(@D)/qx
endef

define QX_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/qx $(TARGET_DIR)/usr/bin/qx
	for applet in $$(PYTHONPATH=$(@D)/firmware $(HOST_DIR)/bin/python3 -c \
		"from qx.__main__ import APPLETS; print(*APPLETS)"); do \
		ln -sf qx $(TARGET_DIR)/usr/bin/qx-$$applet || exit 1; \
	done
endef

$(eval $(generic-package))
