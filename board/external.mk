include $(sort $(wildcard $(BR2_EXTERNAL_QX_PATH)/package/*/*.mk))
