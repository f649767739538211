# An appliance of a partner (the default mode). Who the site is comes from enrolment, windows and outputs from signed policy.
{
  services.compliance-agent = {
    enable = true;
    resellerId = "northwind-msp";
    centralUrl = "https://central.northwind.example";
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
