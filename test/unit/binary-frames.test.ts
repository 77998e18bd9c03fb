import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BrokenFrameError,
  decodeFrames,
  encodeFrame,
  FIELDS,
  FrameSplitter,
  MAGIC,
} from '../../packages/bridge/src/binary-frames.ts';
import type { Frame } from '../../packages/bridge/src/binary-frames.ts';

const MAX_BODY_BYTES = 1_000;

const frame = fc.record({
  magic: fc.constant(MAGIC.response),
  opcode: fc.nat(255),
  status: fc.nat(65_535),
  opaque: fc.nat(0xffff_ffff),
  cas: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  extras: bytes(20),
  key: bytes(250),
  value: bytes(700),
});

test('frames cut anywhere are put together as they were', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 400 })),
      (frames, cuts) => {
        const stream = Buffer.concat(frames.map(encodeFrame));
        const splitter = new FrameSplitter({ magic: MAGIC.response, maxBodyBytes: MAX_BODY_BYTES });
        const found: Frame[] = [];
        let start = 0;
        for (let index = 0; start < stream.length; index += 1) {
          const end = start + (cuts[index % Math.max(1, cuts.length)] ?? stream.length);
          const whole = splitter.take(stream.subarray(start, end));
          if (whole !== null) found.push(...decodeFrames(whole));
          start = end;
        }
        assert.deepEqual(
          found,
          frames.map(({ magic: _magic, ...parts }) => parts),
        );
      },
    ),
  );
});

test('any bytes are frames, or wait for more, or are refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.array(bytes(100), { maxLength: 10 }), (chunks) => {
      const splitter = new FrameSplitter({ magic: MAGIC.response, maxBodyBytes: MAX_BODY_BYTES });
      try {
        for (const chunk of chunks) {
          const whole = splitter.take(chunk);
          if (whole !== null) for (const each of decodeFrames(whole)) assert.ok(each.opcode >= 0);
        }
      } catch (error) {
        assert.ok(error instanceof BrokenFrameError);
      }
    }),
  );
});

test('a header that cannot be right is refused before its body has come', () => {
  for (const [offset, length] of [
    [FIELDS.bodyLength, MAX_BODY_BYTES + 1],
    [FIELDS.bodyLength, 0xffff_ffff],
  ] as const) {
    const header = encodeFrame({ magic: MAGIC.response, opcode: 0 });
    header.writeUInt32BE(length, offset);
    assert.throws(() => split(header), BrokenFrameError);
  }
  const contradicting = encodeFrame({ magic: MAGIC.response, opcode: 0 });
  contradicting.writeUInt16BE(5, FIELDS.keyLength);
  assert.throws(() => split(contradicting), BrokenFrameError);
});

test('a line of text is refused at its first byte, alone or after a frame', () => {
  assert.throws(() => split(Buffer.from('E')), BrokenFrameError);
  const good = encodeFrame({ magic: MAGIC.response, opcode: 0 });
  assert.throws(() => split(Buffer.concat([good, Buffer.from('E')])), BrokenFrameError);
});

function split(chunk: Buffer): Buffer | null {
  return new FrameSplitter({ magic: MAGIC.response, maxBodyBytes: MAX_BODY_BYTES }).take(chunk);
}

function bytes(maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
}
