// Valid documents of enrolment, with changes that make them invalid.
import type { Sample } from './sample.ts';
import { NOW, PARTNER, SHA } from './samples-trust.ts';
import { envelope, vectorKey } from './signing.ts';

export const TLS_SPKI =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBaLMVnXBWb6aCXtFdez+1Jg+hPZx63jhdc+/xnMc3lKUOaeP7c/Nrj4pQw3TQvRjbMEuRTvLxQLVkTK5DUca+A==';
export const ORIGIN = 'logs.northern-it.example/main-street-1/1';
const DEVICE_SPKI = vectorKey('device').spki;
/** Not a real request: the formats carry it as opaque bytes. */
const CSR = Buffer.from('certificate request').toString('base64');

export const BINDING = {
  schema: 'compliance-agent/binding/v1',
  partner_id: PARTNER,
  customer_id: 'family-practice',
  site_id: 'main-street',
  appliance_id: 'main-street-1',
  deployment_mode: 'reseller',
  reseller_id: PARTNER,
  epoch: 1,
  origin: ORIGIN,
  device_spki: DEVICE_SPKI,
  tls_spki: TLS_SPKI,
  approver: 'alice',
  status: 'confirmed',
  previous: null,
  issued_at: NOW - 3_600,
};
export const EMBEDDED_BINDING = envelope('application/vnd.compliance-agent.binding+json', JSON.stringify(BINDING), [
  vectorKey('registrar'),
]);

const binding: Sample = {
  document: 'binding',
  signer: 'registrar',
  valid: {
    'a first epoch of a reseller': BINDING,
    'a provisional second epoch of an owner': {
      ...BINDING,
      deployment_mode: 'direct',
      reseller_id: undefined,
      epoch: 2,
      origin: 'logs.northern-it.example/main-street-1/2',
      status: 'provisional',
      previous: { origin: ORIGIN, size: 4_711, root: SHA(10) },
    },
  },
  changes: [
    ['an origin without an epoch', '/main-street-1/1"', '/main-street-1"', 'schema_invalid'],
    ['an origin with an epoch 0', '/main-street-1/1"', '/main-street-1/0"', 'schema_invalid'],
    ['an epoch 0', '"epoch":1', '"epoch":0', 'schema_invalid'],
    ['an X25519 key for the device', 'MCowBQYDK2VwAyEA', 'MCowBQYDK2VuAyEA', 'schema_invalid'],
    ['a compressed TLS key', 'DQgAE', 'DQgAC', 'schema_invalid'],
    ['a status that does not exist', '"confirmed"', '"accepted"', 'schema_invalid'],
    [
      'a previous log without its root',
      '"previous":null',
      '"previous":{"origin":"a.b/c/1","size":1}',
      'schema_invalid',
    ],
  ],
};

const claim: Sample = {
  document: 'claim',
  signer: 'device',
  valid: {
    'a claim from a USB stick': {
      schema: 'compliance-agent/claim/v1',
      source: 'usb',
      token: Buffer.alloc(32, 7).toString('base64'),
      device_spki: DEVICE_SPKI,
      tls_spki: TLS_SPKI,
      csr: CSR,
      hardware: { serial: '5CG1234567', macs: ['3c:52:82:00:00:01'] },
      agent_version: '0.1.0',
      nonce: '0123456789abcdef'.repeat(2),
      sent_at: NOW,
    },
    'a claim by QR code of a box without serial number': {
      schema: 'compliance-agent/claim/v1',
      source: 'qr',
      code: 'fedcba9876543210'.repeat(2),
      device_spki: DEVICE_SPKI,
      tls_spki: TLS_SPKI,
      csr: CSR,
      hardware: { serial: null, macs: [] },
      agent_version: '1.2.3-rc.1',
      nonce: '0123456789abcdef'.repeat(2),
      sent_at: NOW,
    },
  },
  changes: [
    ['a nonce of 124 bits', '"nonce":"0', '"nonce":"', 'schema_invalid'],
    ['a MAC address in capitals', '3c:52', '3C:52', 'schema_invalid'],
    ['a source that does not exist', '"source":"usb"', '"source":"dhcp"', 'schema_invalid'],
    ['a token without padding', 'BwcHBwc="', 'BwcHBwc"', 'schema_invalid'],
    ['a version with two parts', '"0.1.0"', '"0.1"', 'schema_invalid'],
    ['a time before the year 2000', `"sent_at":${NOW}`, '"sent_at":1000', 'schema_invalid'],
  ],
};

const pem = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
const claimAnswer: Sample = {
  document: 'claimAnswer',
  signer: 'timestamp',
  valid: {
    'confirmed, with everything': {
      schema: 'compliance-agent/claim-answer/v1',
      request_sha256: SHA(11),
      server_time: NOW,
      expires_at: NOW + 300,
      status: 'confirmed',
      next_claim_s: 60,
      enrolled: {
        appliance_id: 'main-street-1',
        site_id: 'main-street',
        certificate: pem('TUlJ'),
        binding: EMBEDDED_BINDING,
        policy: null,
      },
    },
    pending: {
      schema: 'compliance-agent/claim-answer/v1',
      request_sha256: SHA(11),
      server_time: NOW,
      expires_at: NOW + 300,
      status: 'pending',
      next_claim_s: 60,
    },
    refused: {
      schema: 'compliance-agent/claim-answer/v1',
      request_sha256: SHA(11),
      server_time: NOW,
      expires_at: NOW + 300,
      status: 'refused',
      code: 'token_used',
      next_claim_s: 3_600,
    },
  },
  changes: [
    ['a certificate with a carriage return', 'CERTIFICATE-----\\nTUlJ', 'CERTIFICATE-----\\r\\nTUlJ', 'schema_invalid'],
    ['a certificate that is none', '-----BEGIN CERTIFICATE-----', 'BEGIN CERTIFICATE', 'schema_invalid'],
    ['an embedded envelope with an unsigned field', '"signatures":[', '"more":1,"signatures":[', 'schema_invalid'],
    ['an embedded envelope without signatures', JSON.stringify(EMBEDDED_BINDING.signatures), '[]', 'schema_invalid'],
    ['a next claim never', '"next_claim_s":60', '"next_claim_s":0', 'schema_invalid'],
    ['a status that does not exist', '"status":"confirmed"', '"status":"maybe"', 'schema_invalid'],
  ],
};

const succession: Sample = {
  document: 'succession',
  signer: 'device',
  valid: {
    'a new key signed by the old one': {
      schema: 'compliance-agent/succession/v1',
      appliance_id: 'main-street-1',
      old_origin: ORIGIN,
      new_origin: 'logs.northern-it.example/main-street-1/2',
      new_device_spki: vectorKey('device 2').spki,
      signed_with: 'device',
      issued_at: NOW,
    },
  },
  changes: [
    ['signed with a key that does not exist', '"signed_with":"device"', '"signed_with":"root"', 'schema_invalid'],
    ['an id with a capital', '"appliance_id":"main', '"appliance_id":"Main', 'schema_invalid'],
    ['an id that ends with a hyphen', '"appliance_id":"main-street-1"', '"appliance_id":"main-"', 'schema_invalid'],
  ],
};

const epochConfirmation: Sample = {
  document: 'epochConfirmation',
  signer: 'operator-a',
  valid: {
    'a second epoch': {
      schema: 'compliance-agent/epoch-confirmation/v1',
      partner_id: PARTNER,
      site_id: 'main-street',
      appliance_id: 'main-street-1',
      origin: 'logs.northern-it.example/main-street-1/2',
      binding_sha256: SHA(13),
      issued_at: NOW,
    },
  },
  changes: [
    ['an origin without an epoch', '/main-street-1/2"', '/main-street-1"', 'schema_invalid'],
    ['a digest in capitals', SHA(13), SHA(13).toUpperCase(), 'schema_invalid'],
    ['no digest of the binding', `"binding_sha256":"${SHA(13)}",`, '', 'schema_invalid'],
  ],
};

const certificateRequest: Sample = {
  document: 'certificateRequest',
  signer: 'device',
  valid: {
    'with a challenge, after a lapse': {
      schema: 'compliance-agent/certificate-request/v1',
      appliance_id: 'main-street-1',
      challenge: '00112233445566778899aabbccddeeff',
      csr: CSR,
      csr_sha256: SHA(12),
      sent_at: NOW,
    },
    'a renewal': {
      schema: 'compliance-agent/certificate-request/v1',
      appliance_id: 'main-street-1',
      challenge: null,
      csr: CSR,
      csr_sha256: SHA(12),
      sent_at: NOW,
    },
  },
  changes: [
    ['a challenge in capitals', 'aabbccddeeff', 'AABBCCDDEEFF', 'schema_invalid'],
    ['a request in the URL alphabet', CSR, '_-__', 'schema_invalid'],
    ['a digest that is missing', `"csr_sha256":"${SHA(12)}",`, '', 'schema_invalid'],
  ],
};

export const ENROLMENT_SAMPLES: readonly Sample[] = [
  claim,
  claimAnswer,
  binding,
  succession,
  epochConfirmation,
  certificateRequest,
];
