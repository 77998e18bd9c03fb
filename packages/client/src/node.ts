/** The (req, res) adapter. */
export {};
