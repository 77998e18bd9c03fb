/** Small drawings of what the shop sells. */
import type { ReactNode } from 'react';

const DRAWINGS: Readonly<Record<string, ReactNode>> = {
  tea: (
    <>
      <path d="M30 34h36v40a4 4 0 0 1-4 4H34a4 4 0 0 1-4-4z" />
      <path d="M28 24h40v10H28zM38 24v-4h20v4M30 46h36M30 66h36" />
      <path d="M48 61c-6-1-8-7-6-11 6 1 9 6 6 11zm0 0c0-4 2-7 6-8" />
    </>
  ),
  cake: (
    <>
      <path d="M22 50h52v20a4 4 0 0 1-4 4H26a4 4 0 0 1-4-4z" />
      <path d="M22 50c0-7 6-12 13-12h26c7 0 13 5 13 12M22 58c4 5 9 5 13 0 4 5 9 5 13 0 4 5 9 5 13 0 4 5 9 5 13 0" />
      <path d="M48 38V28M48 22c3 3 3 6 0 6s-3-3 0-6zM16 78h64" />
    </>
  ),
  honey: (
    <>
      <path d="M30 38h36c5 6 7 12 7 20s-2 14-7 20H30c-5-6-7-12-7-20s2-14 7-20z" />
      <path d="M30 28h36v10H30zM48 48l8 5v9l-8 5-8-5v-9z" />
    </>
  ),
  jam: (
    <>
      <path d="M30 40h36v34a4 4 0 0 1-4 4H34a4 4 0 0 1-4-4z" />
      <path d="M26 30c7-5 15-6 22-6s15 1 22 6l-4 10H30z" />
      <path d="M48 54c-5-2-10 1-10 7s5 9 10 9 10-3 10-9-5-9-10-7zm0 0c0-4 2-6 5-7" />
    </>
  ),
  mug: (
    <>
      <path d="M24 38h40v32a8 8 0 0 1-8 8H32a8 8 0 0 1-8-8z" />
      <path d="M64 46h5a7 7 0 0 1 7 7v4a7 7 0 0 1-7 7h-5M36 30c-3-4 3-6 0-10M46 30c-3-4 3-6 0-10M56 30c-3-4 3-6 0-10" />
    </>
  ),
  scones: (
    <>
      <path d="M22 60c0-9 8-14 17-14s17 5 17 14v10H22zM22 62c5-3 10 3 17 0s11 2 17 0" />
      <path d="M38 46c1-9 9-14 18-14 10 0 18 5 18 14v24H56" />
      <path d="M16 76h64" />
    </>
  ),
};

/** Decoration: the product's name stands beside it. */
export function ProductArt({ id }: { id: string }): ReactNode {
  return (
    <svg className="art" viewBox="0 0 96 96" aria-hidden="true" focusable="false">
      {DRAWINGS[id]}
    </svg>
  );
}
