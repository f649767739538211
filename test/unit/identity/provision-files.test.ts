import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseClinicYaml } from '../../../agent/identity/parse-clinic-yaml.ts';
import {
  clinicFileMark,
  holdsToken,
  overwriteToken,
  provisionDigest,
  provisionFileMode,
  readProvisionFiles,
  writeProvisionResult,
} from '../../../agent/identity/provision-files.ts';
import { mistakeLine, type ProvisionError } from '../../../agent/identity/provision-mistake.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTestCa, type TestCa } from '../../support/test-ca.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const TOKEN = Buffer.alloc(32, 7).toString('base64');
const SPARE_PIN = 'f'.repeat(64);
let ca: TestCa;
let serverPem: string;
let good: string;
let dir: string;

beforeAll(async () => {
  ca = await makeTestCa();
  serverPem = (await ca.issueServer()).certPem;
  good = mkdtempSync(join(tmpdir(), 'stick-good-'));
  writeFileSync(join(good, 'clinic.yaml'), clinic());
  writeFileSync(join(good, 'root.json'), `${trust.rootLine}\n`);
  writeFileSync(join(good, 'ca.pem'), ca.caPem);
});
afterAll(() => rmSync(good, { recursive: true, force: true }));
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stick-'));
  cpSync(good, dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function clinic(change: Partial<Record<'central_url' | 'token' | 'root_sha256' | 'ca_pins', string>> = {}): string {
  const values = {
    central_url: 'https://central.example:8443',
    token: `"${TOKEN}"`,
    root_sha256: trust.root.digest,
    ca_pins: `\n  - ${ca.caPin}\n  - ${SPARE_PIN}`,
    ...change,
  };
  return `# Enrolment\n${Object.entries(values)
    .map(([key, value]) => `${key}: ${value}`)
    .join('\n')}\n`;
}
const write = (name: string, content: string | Buffer): void => writeFileSync(join(dir, name), content);
/** The mistakes as `code file:line`. */
function mistakes(): string[] {
  const error = expectCode(() => readProvisionFiles(dir), 'provision_invalid') as ProvisionError;
  for (const mistake of error.mistakes) {
    expect(mistakeLine(mistake)).toMatch(/^(clinic\.yaml|root\.json|ca\.pem)(:\d+)?: [^\n]+$/);
  }
  expect(error.message).not.toContain(TOKEN);
  return error.mistakes.map((m) => `${m.code} ${m.file}${m.line === null ? '' : `:${m.line}`}`);
}

describe('reading a provisioning stick', () => {
  it('gives address, token, root, CA and pins', () => {
    expect(readProvisionFiles(dir)).toEqual({
      centralUrl: 'https://central.example:8443',
      token: TOKEN,
      claimUrl: 'https://central.example:8443/claim',
      root: trust.root,
      caPem: ca.caPem,
      caPins: [ca.caPin, SPARE_PIN],
      place: dir,
    });
  });

  it('may carry no token: then it gives trust alone, and where people type claim codes', () => {
    const text = clinic().replace(/token: .*\n/, 'claim_url: https://portal.example/boxes?site=3\n');
    write('clinic.yaml', text);
    expect(readProvisionFiles(dir)).toMatchObject({ token: null, claimUrl: 'https://portal.example/boxes?site=3' });
    overwriteToken(dir);
    expect(readFileSync(join(dir, 'clinic.yaml'), 'utf8')).toBe(text);
  });

  it.each([
    'http://portal.example',
    'https://a:b@portal.example',
    'https://portal.example/#x',
    `https://p/${'x'.repeat(200)}`,
  ])('refuses %s as the place for claim codes', (url) => {
    write('clinic.yaml', `${clinic()}claim_url: '${url}'\n`);
    expect(mistakes()).toEqual([expect.stringMatching(/^url_not_https clinic.yaml:/)]);
  });

  it('reads files that an editor on Windows has saved', () => {
    for (const [name, text] of [
      ['clinic.yaml', clinic()],
      ['root.json', `${trust.rootLine}\n`],
      ['ca.pem', ca.caPem],
    ] as const) {
      write(name, `\ufeff${text.replaceAll('\n', '\r\n')}`);
    }
    expect(readProvisionFiles(dir)).toMatchObject({ token: TOKEN, caPins: [ca.caPin, SPARE_PIN] });
  });

  it('reads a digest of digits only as text', () => {
    const digits = '1'.repeat(62);
    expect(parseClinicYaml(clinic({ root_sha256: `${digits}e2` })).values.rootSha256).toBe(`${digits}e2`);
    expect(parseClinicYaml(clinic({ root_sha256: `0o${'1'.repeat(62)}` })).values.rootSha256).toBeNull();
  });

  it('says that there is no clinic.yaml, which is no mistake of anybody', () => {
    rmSync(join(dir, 'clinic.yaml'));
    expectCode(() => readProvisionFiles(dir), 'provision_missing');
    expectCode(() => readProvisionFiles(join(dir, 'nowhere')), 'provision_missing');
  });

  const cases: [string, () => void, string[]][] = [
    [
      'an unknown key, with the key that was meant',
      () => write('clinic.yaml', clinic().replace('token:', 'tokne:')),
      ['key_unknown clinic.yaml:3'],
    ],
    ['a key of another product', () => write('clinic.yaml', `${clinic()}wifi: x\n`), ['key_unknown clinic.yaml:8']],
    [
      'a key that stands twice',
      () => write('clinic.yaml', `${clinic()}token: "${TOKEN}"\n`),
      ['key_duplicate clinic.yaml:8'],
    ],
    ['a key without a value', () => write('clinic.yaml', clinic({ token: '' })), ['token_malformed clinic.yaml:3']],
    [
      'plain http',
      () => write('clinic.yaml', clinic({ central_url: 'http://central.example' })),
      ['url_not_https clinic.yaml:2'],
    ],
    [
      'an address with a path',
      () => write('clinic.yaml', clinic({ central_url: 'https://central.example/api' })),
      ['url_not_https clinic.yaml:2'],
    ],
    [
      'an address with a password',
      () => write('clinic.yaml', clinic({ central_url: 'https://a:b@central.example' })),
      ['url_not_https clinic.yaml:2'],
    ],
    [
      'a token that is no base64',
      () => write('clinic.yaml', clinic({ token: 'hello' })),
      ['token_malformed clinic.yaml:3'],
    ],
    [
      'a token that is too short',
      () => write('clinic.yaml', clinic({ token: Buffer.alloc(16).toString('base64') })),
      ['token_malformed clinic.yaml:3'],
    ],
    [
      'a token that was cut when copied',
      () => write('clinic.yaml', clinic({ token: TOKEN.slice(0, -1) })),
      ['token_malformed clinic.yaml:3'],
    ],
    [
      'a digest in upper case',
      () => write('clinic.yaml', clinic({ root_sha256: 'A'.repeat(64) })),
      ['digest_malformed clinic.yaml:4'],
    ],
    [
      'the digest of another root',
      () => write('clinic.yaml', clinic({ root_sha256: 'a'.repeat(64) })),
      ['root_other_digest root.json'],
    ],
    [
      'a single pin without a spare',
      () => write('clinic.yaml', clinic({ ca_pins: `[${ca.caPin}]` })),
      ['pins_malformed clinic.yaml:5'],
    ],
    [
      'the same pin twice',
      () => write('clinic.yaml', clinic({ ca_pins: `[${ca.caPin}, ${ca.caPin}]` })),
      ['pins_malformed clinic.yaml:5'],
    ],
    [
      'pins that are no list',
      () => write('clinic.yaml', clinic({ ca_pins: ca.caPin })),
      ['pins_malformed clinic.yaml:5'],
    ],
    [
      'a ca.pem without a pinned CA',
      () => write('clinic.yaml', clinic({ ca_pins: `[${SPARE_PIN}, ${'e'.repeat(64)}]` })),
      ['ca_not_pinned ca.pem'],
    ],
    ['a missing root.json', () => rmSync(join(dir, 'root.json')), ['file_missing root.json']],
    ['a missing ca.pem', () => rmSync(join(dir, 'ca.pem')), ['file_missing ca.pem']],
    ['a root.json that is something else', () => write('root.json', '{"hello": 1}'), ['root_malformed root.json']],
    ['a root.json that was cut', () => write('root.json', trust.rootLine.slice(0, 500)), ['root_malformed root.json']],
    [
      'a root.json signed by nobody in it',
      () => write('root.json', trust.sign('root', trust.root.root, trust.keys['device']!)),
      ['root_malformed root.json'],
    ],
    [
      'a ca.pem that holds a server certificate too',
      () => write('ca.pem', ca.caPem + serverPem),
      ['ca_malformed ca.pem'],
    ],
    ['a ca.pem without a certificate', () => write('ca.pem', 'hello'), ['ca_malformed ca.pem']],
    [
      'a ca.pem with broken base64',
      () => write('ca.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      ['ca_malformed ca.pem'],
    ],
    [
      'a clinic.yaml that is no YAML',
      () => write('clinic.yaml', 'token: "unfinished\n'),
      ['yaml_syntax clinic.yaml:2'],
    ],
    [
      'a clinic.yaml that is a list',
      () => write('clinic.yaml', '- a\n- b\n'),
      ['yaml_syntax clinic.yaml:1', 'key_missing clinic.yaml', 'key_missing clinic.yaml', 'key_missing clinic.yaml'],
    ],
    [
      'an empty clinic.yaml',
      () => write('clinic.yaml', ''),
      ['yaml_syntax clinic.yaml:1', 'key_missing clinic.yaml', 'key_missing clinic.yaml', 'key_missing clinic.yaml'],
    ],
    ['a clinic.yaml of 1 MB', () => write('clinic.yaml', '#'.repeat(1_000_000)), ['file_unreadable clinic.yaml']],
    [
      'several mistakes at once',
      () => (write('clinic.yaml', clinic({ central_url: 'http://x', token: 'x' })), rmSync(join(dir, 'ca.pem'))),
      ['url_not_https clinic.yaml:2', 'token_malformed clinic.yaml:3', 'file_missing ca.pem'],
    ],
  ];
  it.each(cases)('names %s in one line with its place', (_name, prepare, expected) => {
    prepare();
    expect(mistakes()).toEqual(expected);
  });

  it('suggests the key that was meant', () => {
    write('clinic.yaml', clinic().replace('central_url', 'central-url'));
    const error = expectCode(() => readProvisionFiles(dir), 'provision_invalid') as ProvisionError;
    expect(error.mistakes[0]!.sentence).toContain('did you mean central_url?');
  });

  it('says where and what for any text at all, and never throws anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const { values, mistakes: found } = parseClinicYaml(text);
        const { token: _token, claimUrl: _claimUrl, ...required } = values;
        expect(found.length > 0 || Object.values(required).every((value) => value !== null)).toBe(true);
      }),
    );
  });

  it('never calls a stick good that lacks a value', () => {
    const keys = ['central_url', 'token', 'root_sha256', 'ca_pins'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.constantFrom('', '~', 'null', '[]', '{}', '!!binary x', '*a', '&a'),
        (key, value) => {
          expect(parseClinicYaml(clinic({ [key]: value })).mistakes.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('after use', () => {
  it('overwrites the token where it stands and leaves every other byte', () => {
    for (const text of [
      clinic(),
      `\ufeff${clinic().replaceAll('\n', '\r\n')}`,
      clinic({ token: TOKEN }),
      clinic({ token: `'${TOKEN}' # ünïcode` }),
    ]) {
      write('clinic.yaml', text);
      overwriteToken(dir);
      const after = readFileSync(join(dir, 'clinic.yaml'), 'utf8');
      expect(Buffer.byteLength(after)).toBe(Buffer.byteLength(text));
      expect(after).not.toContain(TOKEN.slice(0, 8));
      expect(after.replace(/used-+/, '')).toBe(text.replace(/["']?B(?:wcH)+[A-Za-z0-9+/]*=["']?/, ''));
      expect(mistakes()).toEqual(['token_used clinic.yaml:3']);
    }
  });

  it('overwrites nothing twice and nothing that is not there', () => {
    overwriteToken(dir);
    const once = readFileSync(join(dir, 'clinic.yaml'));
    overwriteToken(dir);
    expect(readFileSync(join(dir, 'clinic.yaml'))).toEqual(once);
    rmSync(join(dir, 'clinic.yaml'));
    overwriteToken(dir);
  });

  it('writes the result back with line ends that every editor shows', () => {
    writeProvisionResult(dir, 'enrolled as main-street-1\nat site main-street');
    expect(readFileSync(join(dir, 'clinic-result.txt'), 'utf8')).toBe(
      'enrolled as main-street-1\r\nat site main-street\r\n',
    );
    writeProvisionResult(dir, 'short');
    expect(readFileSync(join(dir, 'clinic-result.txt'), 'utf8')).toBe('short\r\n');
  });
});

describe('a folder of provisioning files', () => {
  it('has the same digest before and after its token was overwritten, and another one for every other change', () => {
    const before = provisionDigest(dir);
    expect(holdsToken(dir)).toBe(true);
    overwriteToken(dir);
    expect([provisionDigest(dir), holdsToken(dir)]).toEqual([before, false]);
    for (const name of ['clinic.yaml', 'root.json', 'ca.pem']) {
      const text = readFileSync(join(dir, name), 'utf8');
      write(name, `${text}#`);
      expect(provisionDigest(dir)).not.toBe(before);
      write(name, text);
    }
    rmSync(join(dir, 'ca.pem'));
    expect(provisionDigest(dir)).not.toBe(before);
  });

  it('is seen to have changed when clinic.yaml is another one', () => {
    const mark = clinicFileMark(dir);
    expect(clinicFileMark(dir)).toBe(mark);
    rmSync(join(dir, 'clinic.yaml'));
    expect([clinicFileMark(dir), holdsToken(dir)]).toEqual([null, false]);
    write('clinic.yaml', `${clinic()}# 2\n`);
    expect(clinicFileMark(dir)).not.toBe(mark);
  });

  it("gets files for its owner alone, or also for the folder's group where the folder hands that on", () => {
    expect(provisionFileMode(dir)).toBe(0o600);
    chmodSync(dir, 0o2750);
    expect(provisionFileMode(dir)).toBe(0o640);
  });
});
