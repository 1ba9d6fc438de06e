"""The GameDeployment controller."""
