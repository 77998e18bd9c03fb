/** What the shop sells. */

export interface Product {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  /** Cents. */
  readonly price: number;
}

export const PRODUCTS: readonly Product[] = [
  { id: 'tea', name: 'Assam tea', text: 'Strong and malty. A tin of 100 g.', price: 890 },
  { id: 'cake', name: 'Lemon cake', text: 'Baked this morning. Serves six.', price: 1450 },
  { id: 'honey', name: 'Heather honey', text: 'From the hills behind the house.', price: 720 },
  { id: 'jam', name: 'Plum jam', text: 'Last summer in a jar.', price: 540 },
  { id: 'mug', name: 'Stoneware mug', text: 'Holds a pint of tea and keeps it warm.', price: 1600 },
  { id: 'scones', name: 'Scones', text: 'Four of them. Clotted cream is extra.', price: 480 },
];

export function findProduct(id: string): Product | null {
  return PRODUCTS.find((product) => product.id === id) ?? null;
}

export function formatPrice(cents: number): string {
  return new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'EUR' }).format(cents / 100);
}
