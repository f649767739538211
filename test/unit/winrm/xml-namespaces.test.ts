// What a hostile host may cost by declaring prefixes: every declaration copies all that are in force.
import { expect, it } from 'vitest';
import { readXml } from '../../../agent/winrm/xml.ts';
import { expectCode } from '../../support/expect-code.ts';

const declarations = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, n) => `xmlns:p${from + n}="urn:${from + n}"`).join(' ');

it('an answer with a thousand prefixes is refused, in one tag or nested, whatever follows it', () => {
  const many = '<b xmlns:q="urn:q"/>'.repeat(1_000);
  expectCode(() => readXml(`<a ${declarations(1_000)}>${many}</a>`), 'winrm_answer_invalid');
  const levels = Array.from({ length: 20 }, (_, n) => `<a ${declarations(50, n * 50)}>`);
  expectCode(() => readXml(`${levels.join('')}${'</a>'.repeat(20)}`), 'winrm_answer_invalid');
});

it('prefixes are those of the elements around, and end with the element that declares them', () => {
  const root = readXml(
    `<a xmlns="urn:0" ${declarations(60)}><p1:b><c/><p1:d xmlns:p1="urn:x"/></p1:b><p1:e xmlns=""/></a>`,
  );
  const [b, e] = root.children;
  expect([root.namespace, b?.namespace, e?.namespace]).toEqual(['urn:0', 'urn:1', 'urn:1']);
  expect(b?.children.map(({ namespace }) => namespace)).toEqual(['urn:0', 'urn:x']);
  expectCode(() => readXml('<a><b xmlns:p="urn:p"/><p:c/></a>'), 'winrm_answer_invalid');
  expect(readXml('<a xml:lang="de"/>').attributes.get('lang')).toBe('de');
});
