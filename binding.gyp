{"includes": ["native/batchnorm.gypi"]}
