/** Memory for large values is used again whatever other values came before, within its bounds. */
import { describe, expect, it } from 'vitest';
import { BlockPool } from '../../src/main/memory/block-pool.ts';

const MiB = 1024 * 1024;

/** `letGo`: what a worker is told of. */
function poolWith(...sizes: number[]): { pool: BlockPool; blocks: SharedArrayBuffer[]; letGo: number[] } {
  const letGo: number[] = [];
  const pool = new BlockPool((bytes) => letGo.push(bytes));
  const blocks = sizes.map((size) => pool.take(size * MiB));
  for (const block of blocks) pool.giveBack(block);
  return { pool, blocks, letGo };
}

describe('blocks of shared memory', () => {
  it('are used again for a value of about their size', () => {
    const { pool, blocks } = poolWith(8);
    expect(pool.take(7 * MiB)).toBe(blocks[0]);
    expect(pool.take(7 * MiB)).not.toBe(blocks[0]);
  });

  it('of any sizes are kept beside each other', () => {
    const { pool, blocks, letGo } = poolWith(0.25, 1, 2, 4, 8, 64, 0.25);
    expect(pool.take(64 * MiB)).toBe(blocks[5]);
    expect(pool.take(MiB)).toBe(blocks[1]);
    expect(letGo).toEqual([]);
  });

  it('are all used again in a flood that uses more than is kept for long', () => {
    const { pool, blocks, letGo } = poolWith(...Array<number>(25).fill(4));
    for (const _ of blocks) expect(blocks).toContain(pool.take(3 * MiB));
    expect(letGo).toEqual([]);
  });

  it('make room for a new one, those first that came back first', () => {
    const { pool, blocks, letGo } = poolWith(64, 16, 8);
    pool.take(32 * MiB);
    expect(letGo).toEqual([64 * MiB]);
    expect(pool.take(16 * MiB)).toBe(blocks[1]);
  });

  it('that a worker may still look at are dropped', () => {
    const { pool } = poolWith();
    const block = pool.take(MiB);
    pool.abandon(block);
    expect(pool.bytes).toBe(0);
    expect(pool.take(MiB)).not.toBe(block);
  });

  it('are dropped a while after there is too much, down to what is kept for good', async () => {
    const letGo: number[] = [];
    const pool = new BlockPool((bytes) => letGo.push(bytes), 20);
    pool.giveBack(pool.take(16 * MiB));
    const longAgo = performance.now() + 40;
    await expect.poll(() => performance.now()).toBeGreaterThan(longAgo);
    expect(letGo).toEqual([]); // as long as there is little
    pool.giveBack(pool.take(64 * MiB));
    await expect.poll(() => pool.bytes).toBeLessThanOrEqual(32 * MiB);
    expect(letGo.length).toBeGreaterThan(0);
  });
});
