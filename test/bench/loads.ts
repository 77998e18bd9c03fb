/** What wrk asks the bridge for: scripts by the kind of request. */
import { makeRecord, type Stack, type Stored } from './stack.ts';

/** Lua for wrk. */
export type Script = () => Promise<string>;

/** Of the sessions that are read and written. */
const BYTES = 1_024;
export const OPERATIONS_PER_BATCH = 32;

/**
 * At once. With batches of 32 it stays under what the bridge lets one app have under way; more would be refused.
 */
export const BATCH_CONNECTIONS = 8;

/** How the bridge is loaded. */
export interface BridgeLoad {
  readonly script: (stack: Stack, sessions: readonly Stored[]) => Script;
  readonly connections?: number;
}

/** The loads by name. */
export const LOADS: Readonly<Record<string, BridgeLoad>> = {
  get: { script: getScript },
  known: { script: conditionalScript },
  touch: { script: touchScript },
  put: { script: (stack) => createScript(stack, { batch: 1, record: makeRecord(BYTES) }) },
  batch: {
    script: (stack) => createScript(stack, { batch: OPERATIONS_PER_BATCH, record: makeRecord(BYTES) }),
    connections: BATCH_CONNECTIONS,
  },
};

/** Plain reads of every session in turn. */
export function getScript(stack: Stack, sessions: readonly Stored[]): Script {
  return () => each(stack, sessions, 'return wrk.format("GET", "/v1/sessions/" .. refs[i], headers)');
}

/** Reads by somebody who holds the newest version. */
export function conditionalScript(stack: Stack, sessions: readonly Stored[]): Script {
  const request = 'return wrk.format("GET", "/v1/sessions/" .. refs[i], headers)';
  return () => each(stack, sessions, request, 'headers["If-None-Match"] = "\\"1\\""');
}

export function touchScript(stack: Stack, sessions: readonly Stored[]): Script {
  const request = 'return wrk.format("POST", "/v1/sessions/" .. refs[i] .. "/touch", headers)';
  return () => each(stack, sessions, request, 'headers["Session-TTL"] = "86400"');
}

/**
 * New sessions, each request with so many of them: in a batch, or by itself when it is one. Two runs of one
 * script would store the same sessions again, so the ids begin with what differs from run to run.
 */
export function createScript(stack: Stack, { batch, record }: { batch: number; record: string }): Script {
  return async () => {
    const begin = Buffer.from(crypto.getRandomValues(new Uint8Array(8)))
      .toString('hex')
      .toUpperCase();
    const make =
      batch === 1
        ? 'return wrk.format("PUT", "/v1/sessions/" .. nextId(), headers, record)'
        : `local all = {}
  for at = 1, ${batch} do all[at] = before .. nextId() .. after end
  return wrk.format("POST", "/v1/batch", headers, '{"operations":[' .. table.concat(all, ",") .. ']}')`;
    return `${await stack.preamble([])}
headers["Session-Version"] = "1"
headers["If-None-Match"] = "*"
headers["Session-TTL"] = "86400"
local record = "${record}"
local before = '{"method":"PUT","ref":"'
local after = '","version":1,"ifNoneMatch":"*","ttl":86400,"record":"' .. record .. '"}'
local function nextId()
  i = i + 1
  return string.format("${begin}%016X", i)
end
request = function()
  ${make}
end
response = function(status, headers, body)
  if status < 300 and body:find('"status":[45]') then bad = (bad or 0) + 1 end
end
`;
  };
}

async function each(
  stack: Stack,
  sessions: readonly Stored[],
  request: string,
  before: string = '',
): Promise<string> {
  return `${await stack.preamble(sessions)}
${before}
request = function()
  i = i % #refs + 1
  ${request}
end
`;
}
