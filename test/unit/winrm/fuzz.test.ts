// Everything that reads what a host sends, against bytes that no host would: it answers or throws one of its codes, in a bounded
// time. `WINRM_FUZZ_CASES=1000000 npx vitest run test/unit/winrm/fuzz.test.ts` runs a million of each.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { tokenOf } from '../../../agent/winrm/connection.ts';
import { schemesOf } from '../../../agent/winrm/http-refusals.ts';
import { readChallenge, writeNegotiate } from '../../../agent/winrm/ntlm-messages.ts';
import { NtlmSession } from '../../../agent/winrm/ntlm-session.ts';
import { readSealed, writeSealed } from '../../../agent/winrm/sealed-body.ts';
import { readResponse } from '../../../agent/winrm/spnego-tokens.ts';
import { commandIdOf, readAnswer, receivedOf, shellIdOf } from '../../../agent/winrm/wsman-answers.ts';
import { faultError } from '../../../agent/winrm/wsman-faults.ts';
import { escapeXml, fitsXml, readXml } from '../../../agent/winrm/xml.ts';
import { NtlmAcceptor } from '../../lab/winrm-server/ntlm-acceptor.ts';

const CASES = Number(process.env['WINRM_FUZZ_CASES'] ?? 1_500);
const TIMEOUT_MS = 60_000 + CASES * 2;

/** A sample, with some bytes changed, cut out, doubled or put in. */
function damaged(sample: Buffer, words: readonly string[] = []): fc.Arbitrary<Buffer> {
  const piece =
    words.length === 0
      ? fc.uint8Array({ maxLength: 8 })
      : fc.oneof(
          fc.uint8Array({ maxLength: 4 }),
          fc.constantFrom(...words).map((w) => Buffer.from(w)),
        );
  const edit = fc.record({ at: fc.nat(sample.length), cut: fc.oneof(fc.nat(4), fc.nat(sample.length)), put: piece });
  return fc.array(edit, { maxLength: 5 }).map((edits) => {
    let bytes = sample;
    for (const { at, cut, put } of edits) {
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + cut))]);
    }
    return bytes;
  });
}

function holds<T>(inputs: fc.Arbitrary<T>, read: (input: T) => unknown): void {
  fc.assert(
    fc.property(inputs, (input) => {
      try {
        read(input);
      } catch (error) {
        if (!isAgentError(error) || !error.code.startsWith('winrm_')) throw error;
      }
    }),
    { numRuns: CASES },
  );
}

const ID = '0a0b0c0d-0000-4000-8000-000000000001';
const SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell';
const ANSWER = Buffer.from(
  `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:r="${SHELL}"><s:Header><a:RelatesTo>uuid:${ID}</a:RelatesTo></s:Header><s:Body><r:ReceiveResponse><r:Stream Name="stdout" CommandId="C">YWJj</r:Stream><r:CommandState CommandId="C" State="${SHELL}/CommandState/Done"><r:ExitCode>0</r:ExitCode></r:CommandState></r:ReceiveResponse></s:Body></s:Envelope>`,
);
const FAULT = Buffer.from(
  ANSWER.toString().replace(
    /<r:ReceiveResponse>.*<\/r:ReceiveResponse>/,
    '<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Detail><f:WSManFault xmlns:f="urn:f" Code="2150858793"/><p:X xmlns:p="urn:p"><p:error_Code>5</p:error_Code></p:X></s:Detail></s:Fault>',
  ),
);
const XML_WORDS = [
  '<',
  '>',
  '</',
  '/>',
  '<!',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<?',
  '&',
  '&#x',
  '&amp;',
  '"',
  "'",
  '=',
  ':',
  'xmlns',
  '<a>',
  '</a>',
];
describe('damaged input', () => {
  it(
    'of the XML reader',
    () => {
      holds(
        fc.oneof(
          damaged(ANSWER, XML_WORDS),
          fc.array(fc.constantFrom(...XML_WORDS, 'a', ' ')).map((w) => Buffer.from(w.join(''))),
        ),
        (bytes) => readXml(bytes.toString('latin1')),
      );
    },
    TIMEOUT_MS,
  );

  it(
    'of the readers of answers',
    () => {
      holds(fc.oneof(damaged(ANSWER, XML_WORDS), damaged(FAULT, XML_WORDS)), (bytes) => {
        const answer = readAnswer({ messageId: ID, operation: 'Receive' }, bytes);
        if (answer.kind === 'fault') {
          expect(isAgentError(faultError(answer.fault, 'Receive', 'h'))).toBe(true);
          return;
        }
        for (const read of [shellIdOf, commandIdOf]) holdsOnce(() => read(answer.body));
        receivedOf(answer.body, 'C');
      });
    },
    TIMEOUT_MS,
  );

  it(
    'of the reader of sealed bodies',
    () => {
      const body = writeSealed('Negotiate', 3, { signature: Buffer.alloc(16), sealed: Buffer.from('abc') });
      holds(damaged(body, ['\r\n', '--Encrypted Boundary', '--', 'Length=']), (bytes) =>
        readSealed('Negotiate', bytes),
      );
    },
    TIMEOUT_MS,
  );

  it(
    'of the readers of NTLM and SPNEGO tokens',
    () => {
      const challenge = new NtlmAcceptor({ users: [], channelBinding: null, policy: 'none' }).challenge(
        writeNegotiate(),
      )!;
      const response = Buffer.concat([Buffer.from('a11b3019a0030a0100a3120410', 'hex'), Buffer.alloc(16)]);
      holds(damaged(challenge), (bytes) => readChallenge(bytes));
      holds(
        fc.oneof(
          damaged(response),
          fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)),
        ),
        (bytes) => readResponse(bytes),
      );
    },
    TIMEOUT_MS,
  );

  it(
    'of a whole NTLM logon',
    async () => {
      const challenge = new NtlmAcceptor({ users: [], channelBinding: null, policy: 'none' }).challenge(
        writeNegotiate(),
      )!;
      const deps = { randomBytes: (n: number) => Buffer.alloc(n, 7), nowMs: () => 0 };
      await fc.assert(
        fc.asyncProperty(damaged(challenge), async (bytes) => {
          const session = new NtlmSession(
            { hostname: 'h', channelBinding: null, user: 'u', domain: '', password: Buffer.from('p') },
            deps,
          );
          await session.step(null);
          await session.step(bytes).catch((error: unknown) => expect(isAgentError(error)).toBe(true));
        }),
        { numRuns: CASES },
      );
    },
    TIMEOUT_MS,
  );

  it(
    'of the readers of WWW-Authenticate',
    () => {
      const field = fc
        .array(fc.constantFrom('Negotiate', 'Basic', ' ', ',', '=', '"', 'QUJD', 'realm', '\t', '-'), { maxLength: 30 })
        .map((w) => w.join(''));
      holds(field, (text) => [tokenOf([text], 'Negotiate'), schemesOf([text])]);
    },
    TIMEOUT_MS,
  );
});

describe('any text', () => {
  it(
    'that XML can carry comes back as it was escaped',
    () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }).filter(fitsXml), (text) => {
          expect(readXml(`<a b="${escapeXml(text).replaceAll(/[\t\n]/g, ' ')}">${escapeXml(text)}</a>`).text).toBe(
            text,
          );
        }),
        { numRuns: Math.ceil(CASES / 10) },
      );
    },
    TIMEOUT_MS,
  );
});

function holdsOnce(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isAgentError(error)) throw error;
  }
}
