# Names that people look for in this module and must not find: setting one is an error that says who decides it.
let
  policy = "the signed site policy decides this; have an operator sign it there";
  enrolment = "enrolment gives it to the appliance";
  keys = "the appliance makes its keys itself, and none comes from a file";
  secrets = "the signed site policy names it; its secret comes from `credentials`";
in
{
  allowDisruptiveOutsideWindow = policy;
  policyVersion = policy;
  waivers = policy;
  healing = policy;
  outputs = secrets;
  escalation = secrets;
  syslogTarget = policy;
  rmmWebhook = policy;
  siteId = enrolment;
  hostId = enrolment;
  clientCertFile = keys;
  clientKeyFile = keys;
  signingKeyFile = keys;
}
