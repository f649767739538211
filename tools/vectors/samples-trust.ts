// Valid documents of the trust root, content and policy, with changes that make them invalid.
import { CA_1, CA_2, CA_2_AGAIN, CA_3, CA_4 } from './ca-certificates.ts';
import type { Sample } from './sample.ts';
import { vectorKey } from './signing.ts';

export const NOW = 1_780_315_200;
export const PARTNER = 'northern-it';
export const SHA = (n: number): string => n.toString(16).padStart(2, '0').repeat(32);

const holders: readonly [string, string][] = [
  ['root-a', 'alice'],
  ['root-b', 'bob'],
  ['content-a', 'alice'],
  ['content-b', 'bob'],
  ['operator-a', 'alice'],
  ['operator-b', 'bob'],
  ['registrar', 'central'],
  ['order', 'central'],
  ['timestamp', 'central'],
  ['witness', 'central'],
  ['receipt', 'central'],
];
const keyid = (name: string): string => vectorKey(name).keyid;
const pair = (role: string) => ({ threshold: 2, keyids: [keyid(`${role}-a`), keyid(`${role}-b`)] });
const single = (role: string) => ({ threshold: 1, keyids: [keyid(role)] });

export const ROOT = {
  schema: 'compliance-agent/root/v1',
  partner_id: PARTNER,
  log_domain: 'logs.northern-it.example',
  version: 3,
  issued_at: NOW - 86_400,
  expires_at: NOW + 300 * 86_400,
  persons: [
    { id: 'alice', name: 'Alice Åkesson', kind: 'human' },
    { id: 'bob', name: 'Bob', kind: 'human' },
    { id: 'central', name: 'Central Command', kind: 'service' },
  ],
  keys: holders.map(([name, person]) => ({
    keyid: keyid(name),
    spki: vectorKey(name).spki,
    person,
    ...(name === 'order' ? { sites: ['main-street'] } : {}),
  })),
  roles: {
    root: pair('root'),
    content: pair('content'),
    registrar: single('registrar'),
    operator: pair('operator'),
    order: single('order'),
    timestamp: single('timestamp'),
    witness: single('witness'),
    receipt: single('receipt'),
  },
  witness_name: 'witness.northern-it.example/w1',
  past_keys: [
    {
      role: 'receipt',
      keyid: keyid('old receipt'),
      spki: vectorKey('old receipt').spki,
      valid_from: NOW - 400 * 86_400,
      valid_until: NOW - 86_400,
      status: 'retired',
    },
  ],
};

const root: Sample = {
  document: 'root',
  signer: 'root-a',
  valid: {
    'a root with two people': ROOT,
    'a root that names the CAs of Central Command': { ...ROOT, central_cas: [CA_1, CA_2] },
  },
  changes: [
    ['a role is missing', `,"witness":${JSON.stringify(single('witness'))},"receipt"`, ',"receipt"', 'schema_invalid'],
    [
      'a role that does not exist',
      '"roles":{',
      `"roles":{"admin":${JSON.stringify(single('order'))},`,
      'schema_invalid',
    ],
    ['a threshold of nobody', '"registrar":{"threshold":1', '"registrar":{"threshold":0', 'schema_invalid'],
    ['a person of an unknown kind', '"kind":"service"', '"kind":"robot"', 'schema_invalid'],
    ['a name that is not in NFC', 'Åkesson', 'A\u030akesson', 'schema_invalid'],
    ['a version as text', '"version":3', '"version":"3"', 'schema_invalid'],
    ...(
      [
        ['a CA without a backup', [CA_1]],
        ['no CA, in a list', []],
        ['five CAs', [CA_1, CA_2, CA_3, CA_4, CA_2_AGAIN]],
        ['CAs in PEM', [`-----BEGIN CERTIFICATE-----${CA_1}`, CA_2]],
        ['CAs by name', { in_use: CA_1, backup: CA_2 }],
      ] as const
    ).map(([what, cas]) => {
      const field = `"central_cas":${JSON.stringify(cas)},"witness_name"`;
      return [what, '"witness_name"', field, 'schema_invalid'] as const;
    }),
    [
      'pins in place of certificates',
      '"witness_name"',
      `"central_ca_pins":["${SHA(3)}"],"witness_name"`,
      'schema_invalid',
    ],
    ['a domain with capitals', 'logs.northern', 'Logs.northern', 'schema_invalid'],
  ],
};

const revocations: Sample = {
  document: 'revocations',
  signer: 'content-a',
  valid: {
    'a revoked key and a revoked log': {
      schema: 'compliance-agent/revocations/v1',
      partner_id: PARTNER,
      version: 2,
      issued_at: NOW,
      keys: [{ keyid: SHA(1), revoked_at: NOW - 60, reason: 'laptop lost' }],
      origins: [
        { origin: 'logs.northern-it.example/main-street-1/1', trust_until_size: 90, root: SHA(2), revoked_at: NOW },
      ],
    },
    'nothing revoked': {
      schema: 'compliance-agent/revocations/v1',
      partner_id: PARTNER,
      version: 1,
      issued_at: NOW,
      keys: [],
      origins: [],
    },
  },
  changes: [
    ['a negative size', '"trust_until_size":90', '"trust_until_size":-1', 'schema_invalid'],
    ['a reason with a line feed', 'laptop lost', 'laptop\\nlost', 'schema_invalid'],
    ['a digest in capitals', SHA(2), 'AB'.repeat(32), 'schema_invalid'],
  ],
};

const RECIPIENT = 'age1v0rfprf00v0kxe3znlu8qmpfnd4ypzx9jmjr6qk5qkjx2aaxccwq3zkuaw';
export const PARTNER_DOCUMENT = {
  schema: 'compliance-agent/partner/v1',
  partner_id: PARTNER,
  version: 1,
  issued_at: NOW,
  central_url: 'https://central.northern-it.example:8443',
  ca_pins: [SHA(3), SHA(4)],
  root_sha256: SHA(5),
  recovery_recipients: [RECIPIENT],
  branding: { product: 'Northern Watch', support: 'support@northern-it.example' },
};
const partner: Sample = {
  document: 'partner',
  signer: 'root-a',
  valid: {
    'what an installer carries': PARTNER_DOCUMENT,
    'a disk by its name, and leave to erase what is there': {
      ...PARTNER_DOCUMENT,
      claim_url: 'https://claim.northern-it.example/c',
      install: { disk: 'nvme0n1', reinstall: 'yes' },
    },
    'no option of the installation': { ...PARTNER_DOCUMENT, install: {} },
  },
  changes: [
    ['plain HTTP', '"https://', '"http://', 'schema_invalid'],
    ['user information in the URL', 'https://central', 'https://a@central', 'schema_invalid'],
    ['no backup pin', `["${SHA(3)}","${SHA(4)}"]`, `["${SHA(3)}"]`, 'schema_invalid'],
    ['a recipient of another kind', 'age1v0r', 'ssh-v0r', 'schema_invalid'],
    ['a recipient with a mistyped letter', '"age1v0rf', '"age1v0rg', 'schema_invalid'],
    ['nobody to seal the recovery key to', `["${RECIPIENT}"]`, '[]', 'schema_invalid'],
    ['leave to erase in other words', '"branding"', '"install":{"reinstall":true},"branding"', 'schema_invalid'],
    ['a disk by its path', '"branding"', '"install":{"disk":"/dev/sda"},"branding"', 'schema_invalid'],
  ],
};

const runbook = { id: 'RB-LIN-FW-001', version: 2, sha256: SHA(6) };
const contentList: Sample = {
  document: 'contentList',
  signer: 'content-a',
  valid: {
    'a runbook, a baseline and a grant': {
      schema: 'compliance-agent/content-list/v1',
      partner_id: PARTNER,
      version: 12,
      issued_at: NOW,
      expires_at: NOW + 90 * 86_400,
      note: 'June',
      files: [
        { path: 'appliance/firewall/runbook.yaml', kind: 'runbook', ...runbook, size: 2_048, class: 'routine' },
        { path: 'baselines/appliance.yaml', kind: 'baseline', id: 'appliance', version: 1, sha256: SHA(7), size: 512 },
      ],
      grants: [
        {
          schema: 'compliance-agent/standing-grant/v1',
          grant_id: 'fw-restore',
          rule: { id: 'fw-off', sha256: SHA(8) },
          runbook,
          baseline_sha256: SHA(7),
          class: 'routine',
          scope: 'appliance',
          limits: { per_day: 3 },
          not_after: NOW + 86_400,
        },
      ],
    },
  },
  changes: [
    ['a path that climbs', 'baselines/appliance.yaml', '../appliance.yaml', 'schema_invalid'],
    ['an absolute path', 'baselines/appliance.yaml', '/etc/appliance.yaml', 'schema_invalid'],
    ['a kind that does not exist', '"kind":"baseline"', '"kind":"script"', 'schema_invalid'],
    ['a grant of class read', '"class":"routine","scope"', '"class":"read","scope"', 'schema_invalid'],
    ['a limit with a fraction', '"per_day":3', '"per_day":3.5', 'json_not_strict'],
    ['a limit whose name is made of digits', '"per_day":3', '"7":3', 'json_not_strict'],
  ],
};

const quietPolicy = {
  schema: 'compliance-agent/site-policy/v1',
  partner_id: PARTNER,
  site_id: 'main-street',
  version: 5,
  issued_at: NOW,
  time_zone: 'America/New_York',
  windows: [],
  allow_disruptive_outside_window: false,
  healing: { mode: 'off', runbooks: [] },
  target_networks: [],
  waivers: [],
  outputs: [],
  timestamp_authority: null,
  auto_confirm: [],
  confirmations: [],
  retention_years: 7,
};

const sitePolicy: Sample = {
  document: 'sitePolicy',
  signer: 'operator-a',
  valid: {
    'windows, a waiver and an output': {
      schema: 'compliance-agent/site-policy/v1',
      partner_id: PARTNER,
      site_id: 'main-street',
      version: 4,
      issued_at: NOW,
      time_zone: 'America/New_York',
      windows: [{ days: ['sat', 'sun'], start: '22:00', end: '04:00' }],
      allow_disruptive_outside_window: false,
      healing: { mode: 'dry_run', runbooks: [{ id: 'RB-LIN-FW-001', mode: 'on' }] },
      target_networks: [{ prefix: '10.20.0.0/16', ports: [5986] }],
      waivers: [
        {
          id: 'w-1',
          check: 'disk',
          target: 'appliance',
          reason: 'replacement ordered',
          approver: 'alice',
          issued_at: NOW,
          expires_at: NOW + 30 * 86_400,
        },
      ],
      outputs: [
        { id: 'siem', kind: 'syslog', host: 'siem.example', port: 6514, credential: 'siem_ca', events: ['alert'] },
      ],
      llm: null,
      timestamp_authority: { host: 'tsa.example', port: 443, path: '/tsr' },
      auto_confirm: ['5CG1234567'],
      confirmations: [{ what: 'new_epoch', subject_sha256: SHA(9), persons: ['alice', 'bob'] }],
      retention_years: 7,
    },
    'a language model in the building': {
      ...quietPolicy,
      llm: { provider: 'local', host: '10.20.0.9', port: 8080, model: 'qwen2.5-7b', money_per_day_cents: 0 },
    },
    'a remote language model behind one in the building': {
      ...quietPolicy,
      llm: {
        provider: 'hybrid',
        host: 'resource.openai.azure.com',
        port: 443,
        model: 'gpt-4.1-mini',
        path: '/openai/v1/chat/completions',
        credential: 'llm_key',
        auth: 'api_key',
        local: { host: '10.20.0.9', port: 8443, model: 'qwen2.5-7b' },
        baa_id: 'BAA-2026-7',
        money_per_day_cents: 200,
        cents_per_million_tokens: 160,
      },
    },
  },
  changes: [
    ['a window that is never open', '"end":"04:00"', '"end":"22:00"', 'schema_invalid'],
    ['a day that stands twice', '["sat","sun"]', '["sat","sat"]', 'schema_invalid'],
    ['an hour 24', '22:00', '24:00', 'schema_invalid'],
    ['retention under the legal floor', '"retention_years":7', '"retention_years":5', 'schema_invalid'],
    ['healing in a mode that does not exist', '"mode":"dry_run"', '"mode":"maybe"', 'schema_invalid'],
    ['an output with a secret in it', '"credential":"siem_ca"', '"credential":"siem_ca","token":"x"', 'schema_invalid'],
    ['a port that does not exist', '"port":6514', '"port":65536', 'schema_invalid'],
    [
      'a language model with its key in it',
      '"llm":null',
      '"llm":{"provider":"local","host":"10.20.0.9","port":443,"model":"m","key":"x","money_per_day_cents":0}',
      'schema_invalid',
    ],
  ],
};

export const TRUST_SAMPLES: readonly Sample[] = [root, revocations, partner, contentList, sitePolicy];
