"""The settings of each provider, as HookTemplates and HookRuns hold them, with the rules on them."""
