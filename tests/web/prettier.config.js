// How prettier formats web/ and tests/web.
export default { printWidth: 120 };
