// Whoever holds Central Command, against the documents that a real appliance takes over.
import { beforeAll, describe, expect, it } from 'vitest';
import { resigned } from './answer-attacks.ts';
import { attackedSite, type AttackedSite } from './attacked-site.ts';
import { DOCUMENT_ATTACKS, goodContent, goodPolicy } from './document-attacks.ts';

describe('an attack with an answer or a document', () => {
  const prepared = attackedSite();
  let a: AttackedSite;
  beforeAll(async () => {
    a = await prepared.start();
  });

  for (const { what, code, attack } of DOCUMENT_ATTACKS) {
    it(`${what}: not taken over, and the alert names ${code}`, async () => {
      const [trusted, alerts, pins] = [a.trusted(), a.raisedFor('document_not_accepted', code), a.pins()];
      const { named, documents, files = {} } = attack(a);
      for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
      for (const [digest, bytes] of Object.entries(files)) a.central.files.set(digest, bytes);
      a.central.distort((honest) => resigned(a, honest, named));
      await a.until('the alert names it', () => a.raisedFor('document_not_accepted', code) > alerts);
      expect([a.trusted(), a.pins()]).toEqual([trusted, pins]);
      await a.recovered('document_not_accepted');
    });
  }

  it('takes a policy that both operators signed, in the same way as those that it refused', async () => {
    const { named, documents } = goodPolicy(a);
    for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
    const trusted = a.trusted();
    a.central.distort((honest) => resigned(a, honest, named));
    await a.until('it is in force', () => a.trusted() === trusted + 1);
    a.central.distort(null);
  });

  it('takes a content list whose file is the one that it names, in the same way as those that it refused', async () => {
    const { named, documents, files = {} } = goodContent(a);
    for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
    for (const [digest, bytes] of Object.entries(files)) a.central.files.set(digest, bytes);
    const trusted = a.trusted();
    a.central.distort((honest) => resigned(a, honest, named));
    await a.until('it is in force', () => a.trusted() === trusted + 1);
    a.central.distort(null);
  });
});
