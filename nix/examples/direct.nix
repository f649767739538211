# An appliance whose owner runs Central Command.
{
  services.compliance-agent = {
    enable = true;
    mode = "direct";
    centralUrl = "https://central.clinic.example:8443";
    pollIntervalS = 120;
    logLevel = "warn";
  };
}
