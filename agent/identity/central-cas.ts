// Which CAs Central Command may be under, for an appliance that is enrolled: those that it holds beside those of the trust root in
// force. What it holds begins with the provisioning files, and changes by a root or by a verified answer, never by a failure. Pure.
import { X509Certificate } from 'node:crypto';
import { splitPem } from '../https/pinned-tls.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import { centralCas, type CentralCa } from '../trust/central-cas.ts';
import type { Root } from '../wire/schemas/root.ts';

/** Certificates, and SHA-256 of the DER SPKI of those that count. */
export type HeldCas = Pick<EnrolledIdentity, 'caPem' | 'caPins'>;

/** What connections are made with: what is held, and what the root in force names. */
export function acceptedCas(held: HeldCas, root: Root): HeldCas {
  return withCas(held, centralCas(root));
}

/**
 * What is held once `next` takes the place of `before`. The root that goes takes along the CAs that only it named, but for the one
 * that the appliance is connected under: nothing says yet that Central Command can be reached under another. A root that names none
 * says nothing about CAs; then all that counted goes on counting.
 *
 * @param usedPin of the CA of the connection that brought `next`
 */
export function heldAfterRoot(held: HeldCas, before: Root, next: Root, usedPin: string): HeldCas {
  const named = centralCas(before);
  return withCas(held, next.central_cas === undefined ? named : named.filter((ca) => ca.pin === usedPin));
}

/**
 * What is held after an answer that verified. Where it came over a connection under a CA that the root in force names, those of the
 * root take the place of all that was held: people dropped what is not among them, and Central Command has followed.
 *
 * A handshake alone does not suffice. Whoever stole the key of the next CA could bring it about, and take away the CA that Central
 * Command is still under; an answer to this appliance's request nobody has but Central Command.
 *
 * @param usedPin of the CA of that connection
 */
export function heldAfterAnswer(held: HeldCas, root: Root, usedPin: string): HeldCas {
  const named = centralCas(root);
  if (!named.some((ca) => ca.pin === usedPin)) return held;
  return { caPem: named.map((ca) => ca.pem).join(''), caPins: named.map((ca) => ca.pin) };
}

/** Whether both count the same CAs, in whatever order. */
export function sameCas(one: HeldCas, other: HeldCas): boolean {
  return setText(one) === setText(other);
}

function withCas({ caPem, caPins }: HeldCas, more: readonly CentralCa[]): HeldCas {
  const known = new Set(fingerprints(caPem));
  const pems = more.filter(({ pem }) => !known.has(new X509Certificate(pem).fingerprint256)).map(({ pem }) => pem);
  const text = caPem.endsWith('\n') || caPem === '' ? caPem : `${caPem}\n`;
  return { caPem: text + pems.join(''), caPins: [...new Set([...caPins, ...more.map(({ pin }) => pin)])] };
}

const fingerprints = (pem: string): string[] => splitPem(pem).map((one) => new X509Certificate(one).fingerprint256);

const setText = ({ caPem, caPins }: HeldCas): string =>
  JSON.stringify([fingerprints(caPem).toSorted(), caPins.toSorted()]);
