# An appliance whose owner runs Central Command. Secrets by agenix: with `age.secrets.it-mail.file = ./it-mail.age;` the path is
# `config.age.secrets.it-mail.path`, which is the text below.
{
  services.compliance-agent = {
    enable = true;
    mode = "direct";
    centralUrl = "https://central.clinic.example:8443";
    pollIntervalS = 120;
    logLevel = "warn";
    # Two lines: user and password of the mail server that the site policy names as output `it-mail`.
    credentials.it-mail = "/run/agenix/it-mail";
  };
}
