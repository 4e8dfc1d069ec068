################################################################################
#
# python-microdot
#
################################################################################

PYTHON_MICRODOT_VERSION = 2.7.0
PYTHON_MICRODOT_SOURCE = microdot-$(PYTHON_MICRODOT_VERSION).tar.gz
PYTHON_MICRODOT_SITE = https://files.pythonhosted.org/packages/source/m/microdot
PYTHON_MICRODOT_SETUP_TYPE = setuptools
PYTHON_MICRODOT_LICENSE = MIT
PYTHON_MICRODOT_LICENSE_FILES = LICENSE

$(eval $(python-package))
