# Names that people look for in this module and must not find: setting one is an error that says who decides it.
let
  policy = "the signed site policy decides this; have an operator sign it there";
  enrolment = "enrolment gives it to the appliance";
in
{
  allowDisruptiveOutsideWindow = policy;
  policyVersion = policy;
  waivers = policy;
  healing = policy;
  outputs = policy;
  syslogTarget = policy;
  rmmWebhook = policy;
  siteId = enrolment;
  hostId = enrolment;
}
