# An appliance of a partner (the default mode). Who the site is comes from enrolment, windows and outputs from signed policy.
# Secrets by sops-nix: with `sops.secrets.slack_ops = { };` the path is `config.sops.secrets.slack_ops.path`, which is the text below.
{
  services.compliance-agent = {
    enable = true;
    resellerId = "northwind-msp";
    centralUrl = "https://central.northwind.example";
    credentials = {
      slack_ops = "/run/secrets/slack_ops";
      llm_key = "/run/secrets/llm_key";
      "llm_key.ca" = "/run/secrets/llm_ca";
    };
    allowedHosts = [ "ntp.northwind.example" ];
    # Counts until the first signed site policy.
    maintenanceWindow = {
      time_zone = "America/New_York";
      days = [
        "sat"
        "sun"
      ];
      start = "22:00";
      end = "04:00";
    };
  };
}
