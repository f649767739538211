// Error codes of HTTPS.
import { code } from '../code-info.ts';

export const HTTPS_CODES = {
  url_invalid: code(2, false, 'an address of Central Command is not a plain https:// URL', 'correct central_url'),
  address_not_private: code(
    2,
    false,
    'a place that has to lie in the networks of the site does not',
    'name a host of the site, or say in the site policy that it is remote',
  ),
  dns_failed: code(3, true, 'a host name did not resolve', 'check the DNS server and the host name'),
  connect_refused: code(
    3,
    true,
    'nothing listens at the port',
    'check that Central Command runs and the port is right',
  ),
  connect_failed: code(3, true, 'no connection to the host', 'check cable, gateway, firewall and egress rules'),
  request_timeout: code(3, true, 'no complete answer by the deadline', 'check the network and the load of the server'),
  request_aborted: code(3, true, 'a request was given up because the program stops', 'nothing needs to be done'),
  tls_untrusted: code(
    4,
    false,
    'the server certificate is not issued by the CA that this appliance was given',
    'look for TLS inspection on the path, or supply the right ca.pem',
  ),
  tls_pin_mismatch: code(
    4,
    false,
    'the server certificate chains to a CA whose key is not pinned',
    'look for TLS inspection on the path, or supply the right ca_pins',
  ),
  tls_name_mismatch: code(
    4,
    false,
    'the server certificate is for another name',
    'correct central_url or the certificate of Central Command',
  ),
  tls_date_invalid: code(
    4,
    true,
    'the server certificate is expired or not yet valid by the clock of this machine',
    'check the clock of this machine first, then the certificate of Central Command',
  ),
  tls_client_refused: code(
    7,
    false,
    'the server refused the certificate of this appliance',
    'have the appliance enrolled again or its certificate renewed',
  ),
  tls_failed: code(
    3,
    true,
    'no TLS 1.3 handshake: plain HTTP, an old TLS version, or cut on the way',
    'check the port, and look for TLS inspection or a DNS filter on the path',
  ),
  response_too_large: code(4, true, 'an answer is larger than this place accepts', 'check what answers at the address'),
  response_truncated: code(3, true, 'the connection ended before the answer was complete', 'check the network'),
  response_not_expected: code(
    4,
    true,
    'something answered that is not Central Command',
    'look for a captive portal, a DNS filter or TLS inspection on the path',
  ),
  http_refused: code(7, false, 'Central Command refused a request (4xx)', 'see the code that it named'),
  http_unavailable: code(3, true, 'Central Command cannot answer now (408, 429 or 5xx)', 'wait; it is tried again'),
};
