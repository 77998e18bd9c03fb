/** The apps that may use the bridge, parsed from the operator's file. Pure; secrets never reach a message. */
import { createPublicKey } from 'node:crypto';
import { APP_NAME } from '@memsession/client/protocol';
import { z } from 'zod';

/** What one app may do. */
export interface AppRules {
  /** The newest first; a token signed with any of them is accepted. */
  readonly secrets: readonly string[];
  /** Operations of this app under way at once; left out: the setting for all apps. */
  readonly maxInFlight?: number | undefined;
  /** When given, only records signed with one of these are stored. */
  readonly publicKeys?: readonly PublicKey[] | undefined;
}

/** A public key as JWK (RFC 7517). */
export interface PublicKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y?: string | undefined;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
}

/** Rules by app name; the name `*` stands for every app that is not named. */
export type Apps = ReadonlyMap<string, AppRules>;

export type ParsedApps =
  { readonly ok: true; readonly apps: Apps } | { readonly ok: false; readonly problems: string[] };

/** A secret shorter than this can be guessed, bytes. */
export const SHORTEST_SECRET = 32;

const secret = z
  .string({ error: 'must be a text' })
  .refine((text) => Buffer.byteLength(text) >= SHORTEST_SECRET, {
    error: `must have at least ${SHORTEST_SECRET} bytes. Make one with "openssl rand -base64 32"`,
  })
  // Clients take their secret from the environment, where commas and line breaks separate.
  .refine((text) => !text.includes(',') && text.trim() === text, {
    error: 'must have no comma, and no space around it',
  });
const coordinate = z
  .string({ error: 'is missing' })
  .regex(/^[A-Za-z0-9_-]{43}$/, { error: 'must be 32 bytes in base64url' });
const publicKey = z
  .object(
    {
      kty: z.enum(['OKP', 'EC'], { error: 'must be OKP or EC' }),
      crv: z.enum(['Ed25519', 'P-256'], { error: 'must be Ed25519 or P-256' }),
      x: coordinate,
      y: coordinate.optional(),
      kid: z.string().optional(),
      alg: z.enum(['EdDSA', 'Ed25519', 'ES256'], { error: 'must be EdDSA or ES256' }).optional(),
      d: z.undefined({ error: 'is the private part of a key: it stays with the app' }).optional(),
    },
    { error: 'must be a public key as JWK' },
  )
  .refine(({ kty, crv, y }) => (kty === 'OKP' ? crv === 'Ed25519' : crv === 'P-256' && y !== undefined), {
    error: 'must be OKP with Ed25519, or EC with P-256 and y',
    abort: true,
  })
  .refine(isKey, { error: 'is no key: its coordinates are no point of the curve' });
const rules = z.strictObject(
  {
    secrets: z.array(secret, { error: 'must be a list' }).min(1, { error: 'must not be empty' }),
    maxInFlight: z.int({ error: 'must be a whole number over 0' }).min(1).optional(),
    publicKeys: z
      .array(publicKey)
      .min(1, { error: 'must not be empty' })
      .refine(haveNames, { error: 'has two keys with one kid, of which only one would be used' })
      .optional(),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? `has no "${issue.keys.join('", "')}"` : SHAPE) },
);

const SHAPE = 'must be of the form { "secrets": ["…"], "maxInFlight": 100, "publicKeys": [{ … }] }';

/** The apps in an APPS_FILE, or every problem with its place. */
export function parseAppsFile(text: string): ParsedApps {
  const parsed = parseObject(text);
  if (parsed === null)
    return { ok: false, problems: ['must be JSON of the form { "shop": { "secrets": ["…"] } }'] };
  const problems: string[] = [];
  const apps = new Map<string, AppRules>();
  for (const [app, value] of Object.entries(parsed)) {
    if (app !== '*' && !APP_NAME.test(app))
      problems.push(`"${app}" is no app name: use a-z, 0-9, "-" and "_", at most 64, or "*" for all others`);
    const checked = rules.safeParse(value);
    if (checked.success) apps.set(app, checked.data);
    else problems.push(...checked.error.issues.map(({ path, message }) => `${place(app, path)} ${message}`));
  }
  if (apps.size === 0 && problems.length === 0) problems.push('names no app');
  return problems.length > 0 ? { ok: false, problems } : { ok: true, apps };
}

/** Whether it can be imported: one that cannot would refuse every save of its app. */
function isKey({ kty, crv, x, y }: PublicKey): boolean {
  try {
    createPublicKey({ key: { kty, crv, x, ...(y === undefined ? {} : { y }) }, format: 'jwk' });
    return true;
  } catch {
    // Why not stands in no message: it would quote the library.
    return false;
  }
}

/** Whether no two of the keys go by one name. Those without a `kid` go by their thumbprint. */
function haveNames(keys: readonly PublicKey[]): boolean {
  const names = keys.flatMap(({ kid }) => kid ?? []);
  return new Set(names).size === names.length;
}

function place(app: string, path: readonly PropertyKey[]): string {
  return `"${app}"${path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}`;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
  } catch {
    // Not JSON.
    return null;
  }
}
