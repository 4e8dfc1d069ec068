################################################################################
#
# kamailio
#
################################################################################

KAMAILIO_VERSION = 5.6.3
KAMAILIO_SOURCE = kamailio_$(KAMAILIO_VERSION).orig.tar.gz
KAMAILIO_SITE = https://deb.debian.org/debian/pool/main/k/kamailio
KAMAILIO_LICENSE = GPL-2.0+
KAMAILIO_LICENSE_FILES = COPYING
KAMAILIO_CPE_ID_VENDOR = kamailio
KAMAILIO_DEPENDENCIES = host-bison host-flex host-pkgconf openssl readline

KAMAILIO_MAKE_OPTS = \
	CC="$(TARGET_CC)" \
	LD="$(TARGET_CC)" \
	AR="$(TARGET_AR)" \
	CROSS_COMPILE="$(TARGET_CROSS)" \
	ARCH="$(KERNEL_ARCH)" \
	OS=linux \
	OSREL= \
	CC_EXTRA_OPTS="$(TARGET_CFLAGS)" \
	LOCALBASE="$(STAGING_DIR)/usr" \
	SYSBASE="$(STAGING_DIR)/usr" \
	PREFIX=/usr \
	cfg_target=/etc/kamailio/ \
	TLS_HOOKS=1

define KAMAILIO_CONFIGURE_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(KAMAILIO_MAKE_OPTS) cfg
endef

define KAMAILIO_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(KAMAILIO_MAKE_OPTS) all
endef

define KAMAILIO_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(KAMAILIO_MAKE_OPTS) \
		BASEDIR=$(TARGET_DIR) install-bin install-modules
endef

$(eval $(generic-package))
