import { describe, expect, it } from 'vitest';
import { readAvPairs, writeAvPairs } from '../../../agent/winrm/av-pairs.ts';
import { ntlmChannelBindings } from '../../../agent/winrm/channel-binding.ts';
import { tokenOf } from '../../../agent/winrm/connection.ts';
import { schemesOf } from '../../../agent/winrm/http-refusals.ts';
import { readChallenge, writeNegotiate } from '../../../agent/winrm/ntlm-messages.ts';
import { NtlmSession } from '../../../agent/winrm/ntlm-session.ts';
import { readSealed, writeSealed } from '../../../agent/winrm/sealed-body.ts';
import { SpnegoSession } from '../../../agent/winrm/spnego-session.ts';
import { MECHANISMS, readResponse, writeInit } from '../../../agent/winrm/spnego-tokens.ts';
import { readAnswer, receivedOf, shellIdOf } from '../../../agent/winrm/wsman-answers.ts';
import { commandRequest, createRequest, receiveRequest, sendRequest } from '../../../agent/winrm/wsman-requests.ts';
import { childOf, escapeXml, fitsXml, readXml } from '../../../agent/winrm/xml.ts';
import { NtlmAcceptor } from '../../lab/winrm-server/ntlm-acceptor.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

const HEAD = { to: 'http://h:5985/wsman', messageId: '0a0b0c0d-0000-4000-8000-000000000001', operationMs: 20_000 };

describe('the XML reader', () => {
  it('resolves namespaces, the five entities, character references, CDATA and comments', () => {
    const root = readXml(
      '\ufeff<?xml version="1.0"?><!-- c --><a:r xmlns:a="urn:a" xmlns="urn:d"><b x=\'1 &lt;\' a:y="2">&amp;<![CDATA[<&]]>&#x1F600;&#65;</b><!-- - --><c xmlns=""/></a:r>\n',
    );
    expect([root.namespace, root.name]).toEqual(['urn:a', 'r']);
    const b = childOf(root, 'urn:d', 'b')!;
    expect([b.text, [...b.attributes]]).toEqual(['&<&😀A', [['x', '1 <']]]);
    expect(root.children[1]).toMatchObject({ namespace: '', name: 'c' });
  });

  it.each([
    '<!DOCTYPE a><a/>',
    '<a><!ENTITY b "c"></a>',
    '<a>&b;</a>',
    '<a>&lt</a>',
    '<a>&#0;</a>',
    '<a>&#xD800;</a>',
    '<a>&#x110000;</a>',
    '<a><?php echo 1 ?></a>',
    '<a><b></a></b>',
    '<a>',
    '<a',
    '</a>',
    '',
    'text',
    '<a/><b/>',
    '<a/>text',
    '<x:a/>',
    '<a x:y="1"/>',
    '<a b="1" b="2"/>',
    '<a b="<"/>',
    '<a b=1/>',
    '<a b="1"c="2"/>',
    '<a><!-- ></a>',
    '<a><![CDATA[ ></a>',
    '<1a/>',
    '<a>'.repeat(65) + '</a>'.repeat(65),
  ])('refuses %j', (text) => {
    expectCode(() => readXml(text), 'winrm_answer_invalid');
  });

  it('reads back what was escaped, carriage returns included', () => {
    const text = 'a < b & "c" > \'d\' \r\n\t ä 😀';
    expect(readXml(`<a>${escapeXml(text)}</a>`).text).toBe(text);
    expect(readXml(`<a b="${escapeXml('"<&>')}"/>`).attributes.get('b')).toBe('"<&>');
    expect([fitsXml(text), fitsXml('\u000b'), fitsXml('\ud800'), fitsXml('\uffff')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('request envelopes', () => {
  it('are the same bytes for the same values, and well-formed XML', () => {
    const twice = [0, 1].map(() => commandRequest(HEAD, 'SHELL', 'a & b.exe', ['<x>', '"q"']).envelope.toString());
    expect(twice[0]).toBe(twice[1]);
    const text = twice[0]!;
    expect(readXml(text).name).toBe('Envelope');
    for (const part of [
      '<rsp:Command>a &amp; b.exe</rsp:Command><rsp:Arguments>&lt;x&gt;</rsp:Arguments>',
      '<w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option>',
      '<w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize>',
      '<w:OperationTimeout>PT20S</w:OperationTimeout>',
      '<a:MessageID>uuid:0A0B0C0D-0000-4000-8000-000000000001</a:MessageID>',
      '<w:Selector Name="ShellId">SHELL</w:Selector>',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('ask for UTF-8 and say how long an idle shell lives', () => {
    const text = createRequest(HEAD, 960_000).envelope.toString();
    expect(text).toContain('<w:Option Name="WINRS_CODEPAGE">65001</w:Option>');
    expect(text).toContain('<rsp:IdleTimeOut>PT960S</rsp:IdleTimeOut>');
  });

  it('stay within the envelope that is asked for with 96 KiB of input', () => {
    const { envelope } = sendRequest(HEAD, 'S'.repeat(36), 'C'.repeat(36), Buffer.alloc(96 * 1_024), true);
    expect(envelope.length).toBeLessThan(153_600);
    expect(envelope.toString()).toContain('End="true"');
  });
});

describe('answer envelopes', () => {
  const request = receiveRequest(HEAD, 'S', 'C');
  const soap = (body: string, relatesTo = `uuid:${HEAD.messageId}`): Buffer =>
    Buffer.from(
      `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:RelatesTo>${relatesTo}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`,
    );
  const received = (inner: string): ReturnType<typeof receivedOf> => {
    const answer = readAnswer(request, soap(`<r:ReceiveResponse>${inner}</r:ReceiveResponse>`));
    if (answer.kind === 'fault') throw new Error('a fault');
    return receivedOf(answer.body, 'C');
  };
  const done = (code: string): string =>
    `<r:CommandState CommandId="C" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><r:ExitCode>${code}</r:ExitCode></r:CommandState>`;

  it('hold output in order, empty pieces left out, and the exit code as a signed number', () => {
    const { chunks, ended } = received(
      `<r:Stream Name="stdout" CommandId="C">YQ==</r:Stream><r:Stream Name="stderr" CommandId="c">\r\n Yg==</r:Stream><r:Stream Name="stdout" CommandId="C" End="true"/>${done('4294967295')}`,
    );
    expect(chunks.map(({ stream, data }) => `${stream} ${data.toString()}`)).toEqual(['stdout a', 'stderr b']);
    expect(ended).toEqual({ exitCode: -1 });
    expect(received(done('-1073741510')).ended).toEqual({ exitCode: -1_073_741_510 });
    expect(received(done('3221225786')).ended).toEqual({ exitCode: -1_073_741_510 });
  });

  it.each(['', 'x', '1e3', '4294967296', '-2147483649', '99999999999'])('are refused with the exit code %j', (code) => {
    expectCode(() => received(done(code)), 'winrm_answer_invalid');
  });

  it('must relate to their request; only a fault may relate to none', () => {
    expectCode(() => readAnswer(request, soap('', 'uuid:other')), 'winrm_answer_invalid');
    expectCode(() => readAnswer(request, soap('', '')), 'winrm_answer_invalid');
    const fault =
      '<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code></s:Fault>';
    expect(readAnswer(request, soap(fault, ''))).toEqual({
      kind: 'fault',
      fault: { subcode: 'TimedOut', code: null, wmiCode: null },
    });
    expectCode(() => readAnswer(request, soap(fault, 'uuid:other')), 'winrm_answer_invalid');
  });

  it('are refused where they are no SOAP, no UTF-8 or have no id of a shell', () => {
    expectCode(() => readAnswer(request, Buffer.from('<html/>')), 'winrm_answer_invalid');
    expectCode(() => readAnswer(request, Buffer.concat([soap(''), Buffer.from([0xff])])), 'winrm_answer_invalid');
    const answer = readAnswer(request, soap('<w:Selector Name="ShellId">a b</w:Selector>'));
    expectCode(() => (answer.kind === 'body' ? shellIdOf(answer.body) : ''), 'winrm_answer_invalid');
  });
});

describe('sealed bodies', () => {
  const message = { signature: Buffer.alloc(16, 1), sealed: Buffer.from('--Encrypted Boundary--\r\n inside') };

  it('are read as they were written, whatever is in them, also with the tabs of Windows', () => {
    const body = writeSealed('Negotiate', 34, message);
    expect(readSealed('Negotiate', body)).toMatchObject({ plainBytes: 34, ...message });
    const tabbed = Buffer.from(
      body.toString('latin1').replaceAll('\r\nC', '\r\n\tC').replaceAll('\r\nO', '\r\n\tO'),
      'latin1',
    );
    expect(readSealed('Negotiate', tabbed)).toMatchObject({ plainBytes: 34, ...message });
  });

  it('are refused with another protocol, without a head or an end, and with a signature longer than themselves', () => {
    const body = writeSealed('Negotiate', 34, message);
    expectCode(() => readSealed('Kerberos', body), 'winrm_seal_broken');
    expectCode(() => readSealed('Negotiate', body.subarray(3)), 'winrm_seal_broken');
    expectCode(() => readSealed('Negotiate', body.subarray(0, -5)), 'winrm_seal_broken');
    const long = Buffer.from(body);
    long.writeUInt32LE(0xffffff, long.indexOf('octet-stream\r\n') + 14);
    expectCode(() => readSealed('Negotiate', long), 'winrm_seal_broken');
    expectCode(() => readSealed('Negotiate', Buffer.alloc(0)), 'winrm_seal_broken');
  });
});

describe('NTLM messages', () => {
  it('begin with 40 bytes, Unicode only, with a version and no names', () => {
    const message = writeNegotiate();
    expect(message.length).toBe(40);
    expect(message.readUInt32LE(12)).toBe(0xe2888235 >>> 0);
    expect(message.readUInt32LE(12) & 2).toBe(0);
  });

  it('are refused where they are no challenge, too long, or point outside of themselves', () => {
    const acceptor = new NtlmAcceptor({ users: [], channelBinding: null, policy: 'none' });
    const challenge = acceptor.challenge(writeNegotiate())!;
    expect(readChallenge(challenge).targetInfo.map(({ id }) => id)).toEqual([2, 1, 4, 3, 7]);
    expectCode(() => readChallenge(Buffer.alloc(0)), 'winrm_answer_invalid');
    expectCode(() => readChallenge(Buffer.alloc(20_000)), 'winrm_answer_invalid');
    expectCode(() => readChallenge(challenge.subarray(0, challenge.length - 1)), 'winrm_answer_invalid');
    const other = Buffer.from(challenge);
    other.writeUInt32LE(1, 8);
    expectCode(() => readChallenge(other), 'winrm_answer_invalid');
  });

  it('have AV pairs that end', () => {
    const pairs = [{ id: 2, value: Buffer.from('ab') }];
    expect(readAvPairs(writeAvPairs(pairs))).toEqual(pairs);
    expectCode(() => readAvPairs(writeAvPairs(pairs).subarray(0, -4)), 'winrm_challenge_weak');
    expectCode(() => readAvPairs(Buffer.from([2, 0, 9, 0, 1])), 'winrm_challenge_weak');
  });

  it('come in their order only', async () => {
    const deps = { randomBytes: (n: number) => Buffer.alloc(n, 7), nowMs: () => 0 };
    const logon = { hostname: 'h', channelBinding: null, user: 'u', domain: 'd', password: Buffer.from('p') };
    const session = new NtlmSession(logon, deps);
    await expectCodeAsync(session.step(Buffer.alloc(64)), 'winrm_answer_invalid');
    await expectCodeAsync(session.wrap(Buffer.from('x')), 'winrm_answer_invalid');
    await session.step(null);
    await expectCodeAsync(session.step(null), 'winrm_answer_invalid');
    const acceptor = new NtlmAcceptor({
      users: [{ user: 'u', domain: 'd', password: 'p' }],
      channelBinding: null,
      policy: 'strict',
    });
    const last = await session.step(acceptor.challenge(writeNegotiate()));
    expect([last.done, acceptor.authenticate(last.token!)]).toEqual([true, true]);
    await expectCodeAsync(session.step(Buffer.alloc(64)), 'winrm_answer_invalid');
    session.close();
    await expectCodeAsync(session.wrap(Buffer.from('x')), 'winrm_answer_invalid');
  });

  it('carry channel bindings as MS-NLMP hashes them', () => {
    // MD5 over 16 zero bytes, the length and the data; computed with Python's hashlib.
    expect(
      ntlmChannelBindings(Buffer.from(`tls-server-end-point:${'\u0001'.repeat(32)}`, 'latin1')).toString('hex'),
    ).toBe('ceab3dd4042e39adabd75880be0aaa11');
  });
});

describe('SPNEGO', () => {
  it('offers NTLM alone', () => {
    expect(MECHANISMS.toString('hex')).toBe('300c060a2b06010401823702020a');
    expect(writeInit(Buffer.from('tok')).toString('hex')).toBe(
      '602306062b0601050502a0193017a00e300c060a2b06010401823702020aa2050403746f6b',
    );
  });

  it('takes no other mechanism, no end that the server has not signed, and no rejection', async () => {
    const kerberos = Buffer.from('a1153013a0030a0101a10b06092a864886f712010202', 'hex');
    expectCode(() => readResponse(kerberos), 'winrm_answer_invalid');
    expectCode(() => readResponse(Buffer.from('a1', 'hex')), 'winrm_answer_invalid');
    expectCode(() => readResponse(Buffer.from('a10730050a0301000000', 'hex')), 'winrm_answer_invalid');
    for (const [end, code] of [
      ['a1073005a0030a0100', 'winrm_answer_invalid'],
      ['a1073005a0030a0102', 'winrm_answer_invalid'],
      [`a11b3019a0030a0100a3120410${'00'.repeat(16)}`, 'winrm_seal_broken'],
    ] as const) {
      const deps = { randomBytes: (n: number) => Buffer.alloc(n, 7), nowMs: () => 0 };
      const ntlm = new NtlmSession(
        { hostname: 'h', channelBinding: null, user: 'u', domain: '', password: Buffer.from('p') },
        deps,
      );
      const session = new SpnegoSession(ntlm);
      await session.step(null);
      const challenge = new NtlmAcceptor({ users: [], channelBinding: null, policy: 'none' }).challenge(
        writeNegotiate(),
      )!;
      const head = Buffer.from([0xa1, 0x82, 0, 0, 0x30, 0x82, 0, 0, 0xa2, 0x82, 0, 0, 0x04, 0x82, 0, 0]);
      for (const [at, more] of [
        [2, 12],
        [6, 8],
        [10, 4],
        [14, 0],
      ] as const)
        head.writeUInt16BE(challenge.length + more, at);
      await session.step(Buffer.concat([head, challenge]));
      await expectCodeAsync(session.step(Buffer.from(end, 'hex')), code);
    }
  });
});

describe('WWW-Authenticate', () => {
  it('is read over several fields and several challenges in one', () => {
    expect(tokenOf(['Kerberos', 'negotiate QUJD'], 'Negotiate')?.toString()).toBe('ABC');
    expect(tokenOf(['Basic realm="x", Negotiate QUJD, Kerberos'], 'Negotiate')?.toString()).toBe('ABC');
    expect(tokenOf(['Negotiate', 'NegotiateX QUJD'], 'Negotiate')).toBeNull();
    expect(schemesOf(['Negotiate', 'Kerberos, Basic realm="WSMAN"', 'Negotiate QUJD'])).toEqual([
      'Negotiate',
      'Kerberos',
      'Basic',
    ]);
  });
});
