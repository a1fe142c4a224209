# The addon from the package's own sources: the same target as the repository's, then put where the loader looks.
{
  "includes": ["batchnorm.gypi"],
  "targets": [
    {
      "target_name": "installed",
      "type": "none",
      "dependencies": ["batchnorm"],
      "actions": [
        {
          "action_name": "install",
          "inputs": ["<(PRODUCT_DIR)/batchnorm.node"],
          "outputs": ["<(PRODUCT_DIR)/installed"],
          "action": ["node", "../scripts/build/install-addon.mjs", "<(PRODUCT_DIR)/batchnorm.node", "<(target_arch)"]
        }
      ]
    }
  ]
}
