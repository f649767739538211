// What a compromised daemon may hand to root's helpers. Each changes one thing in what the same test shows accepted. Whoever makes
// them runs as the daemon and holds every online key of Central Command, and one operator's.
import { symlinkSync, linkSync, truncateSync, writeFileSync, chownSync } from 'node:fs';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { Offered } from '../../agent/helpers/judge-sync.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import { DAEMON_UID, OTHER_UID, type HelperLab } from '../support/helper-lab.ts';
import { helperTrust, type HelperTrust } from '../support/helper-fixtures.ts';

export interface HelperAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  readonly code: ErrorCode;
  /** Of the documents that a good daemon would hand over. */
  readonly change: (site: HelperTrust) => Partial<Offered>;
}

/** Against helpers that hold nothing yet but the digest of the first root. */
export const FIRST_ROOT_ATTACKS: readonly HelperAttack[] = [
  { what: 'no root for a helper that has none', code: 'helper_root_unknown', change: () => ({ roots: [] }) },
  {
    what: 'another first root than the configuration names',
    code: 'helper_root_unknown',
    change: (site) => ({ roots: [site.root(2)] }),
  },
  {
    what: "a stranger's root after the right first one",
    code: 'signature_invalid',
    change: (site) => ({ roots: [site.root(1), helperTrust(site.now, 'somebody else').root(2)] }),
  },
  {
    what: 'a root for a helper that skips one',
    code: 'root_version',
    change: (site) => ({ roots: [site.root(1), site.root(3)] }),
  },
  {
    what: 'a root for a helper that one of two persons signed',
    code: 'threshold_not_met',
    change: (site) => ({ roots: [site.root(1), site.signRoot({ ...site.firstRoot, version: 2 }, 'alice')] }),
  },
];

/** Against helpers that hold root 3, revocations 4, content list 7, policy 5 and the binding of epoch 2. */
export const OLD_TRUTH_ATTACKS: readonly HelperAttack[] = [
  {
    what: 'roots for a helper from before the one that it holds',
    code: 'root_version',
    change: (site) => ({ roots: [site.root(1), site.root(2)] }),
  },
  {
    what: 'a root for a helper that skips the next one',
    code: 'root_version',
    change: (site) => ({ roots: [site.root(5)] }),
  },
  {
    what: 'a root for a helper with a lower threshold, signed by one person',
    code: 'threshold_not_met',
    change: ({ firstRoot, signRoot }) => {
      const roles = { ...firstRoot.roles, root: { ...firstRoot.roles.root, threshold: 1 } };
      return { roots: [signRoot({ ...firstRoot, version: 4, roles }, 'alice')] };
    },
  },
  {
    what: 'an older content list for a helper',
    code: 'content_version',
    change: (site) => ({ content: site.content(6) }),
  },
  { what: 'an older site policy for a helper', code: 'policy_version', change: (site) => ({ policy: site.policy(4) }) },
  {
    what: 'another site policy of the version that a helper holds',
    code: 'policy_version',
    change: (site) => ({ policy: site.policy(5, { retention_years: 8 }) }),
  },
  {
    what: 'older revocations for a helper',
    code: 'revocations_version',
    change: (site) => ({ revocations: site.revocations(3) }),
  },
  {
    what: "another site's policy for a helper",
    code: 'policy_other_site',
    change: (site) => ({ policy: site.policy(6, { site_id: 'elm-street' }) }),
  },
  {
    what: 'a policy for a helper that the order key signed',
    code: 'signature_invalid',
    change: ({ trust }) => ({
      policy: trust.sign('sitePolicy', trust.policy({ version: 6 }), trust.keys['order']!),
    }),
  },
  {
    what: 'a policy for a helper that one of two operators signed',
    code: 'threshold_not_met',
    change: ({ trust }) => ({
      policy: trust.sign('sitePolicy', trust.policy({ version: 6 }), trust.keys['operator:alice']!),
    }),
  },
  {
    what: 'a content list for a helper that a stranger signed',
    code: 'signature_invalid',
    change: ({ trust, stranger }) => ({
      content: trust.sign('contentList', trust.contentList({ version: 8 }), stranger),
    }),
  },
  {
    what: 'the binding of an epoch that ended, for a helper',
    code: 'helper_other_appliance',
    change: (site) => ({ binding: site.binding() }),
  },
  {
    what: "another appliance's binding for a helper",
    code: 'helper_other_appliance',
    change: (site) => ({
      binding: site.binding({
        appliance_id: 'elm-street-1',
        origin: `${site.trust.root.root.log_domain}/elm-street-1/1`,
      }),
    }),
  },
  { what: 'no signed time for a helper', code: 'helper_input_missing', change: () => ({ answer: null }) },
  {
    what: 'signed time for a helper that the order key signed',
    code: 'signature_invalid',
    change: ({ trust }) => ({ answer: trust.signRaw(DOCUMENTS.checkinAnswer.payloadType, '{}', trust.keys['order']!) }),
  },
  {
    what: 'an answer of two hours ago for a helper',
    code: 'helper_time_off',
    change: (site) => ({ answer: site.answer(site.now - 7_200) }),
  },
  {
    what: 'signed time for a helper from in two hours',
    code: 'helper_time_off',
    change: (site) => ({ answer: site.answer(site.now + 7_200) }),
  },
];

export interface FileAttack {
  readonly what: string;
  readonly code: ErrorCode;
  /** Puts something where a good file of the daemon lay; root stands for whoever else could have put it there. */
  readonly put: (path: string, lab: HelperLab, good: string) => void;
}

const plain = (path: string, text: string, uid: number): void => {
  writeFileSync(path, text);
  chownSync(path, uid, uid);
};

/** Against the reading of files, with real users. */
export const FILE_ATTACKS: readonly FileAttack[] = [
  {
    what: 'a link for a helper, to a file that only root reads',
    code: 'helper_input_unsafe',
    put: (path) => symlinkSync('/etc/shadow', path),
  },
  {
    what: 'a link for a helper, to a good file of the daemon',
    code: 'helper_input_unsafe',
    put(path, lab, good) {
      plain(`${path}.good`, good, DAEMON_UID);
      lab.asDaemon(`ln -s ${path}.good ${path}`);
    },
  },
  {
    what: 'a file for a helper that has a second name',
    code: 'helper_input_unsafe',
    put(path, _lab, good) {
      plain(`${path}.good`, good, DAEMON_UID);
      linkSync(`${path}.good`, path);
    },
  },
  {
    what: 'a file for a helper that root owns',
    code: 'helper_input_unsafe',
    put: (path, _, good) => plain(path, good, 0),
  },
  {
    what: 'a file for a helper that somebody else owns',
    code: 'helper_input_unsafe',
    put: (path, _, good) => plain(path, good, OTHER_UID),
  },
  {
    what: 'a pipe for a helper that nobody writes to',
    code: 'helper_input_unsafe',
    put: (path, lab) => lab.asDaemon(`mkfifo ${path}`),
  },
  { what: 'a folder for a helper', code: 'helper_input_unsafe', put: (path, lab) => lab.asDaemon(`mkdir ${path}`) },
  {
    what: 'a file of a terabyte for a helper',
    code: 'file_too_large',
    put(path, _lab, good) {
      plain(path, good, DAEMON_UID);
      truncateSync(path, 2 ** 40);
    },
  },
];
