/** Functions of one and of two numbers by their names in a graph. */

type Params = Readonly<Record<string, number>>;

const plain: Readonly<Record<string, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundEven,
  square: (x) => x * x,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log2: Math.log2,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  atan: Math.atan,
  tanh: Math.tanh,
  erf,
  relu: (x) => (x < 0 ? 0 : x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  log_sigmoid: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  gelu_tanh: (x) =>
    0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
};

/** A function of one number; undefined for an unknown name. */
export function unaryFunction(name: string, params: Params): ((x: number) => number) | undefined {
  const { slope = 0, alpha = 1, scale = 1, rate = 1, beta = 1, threshold = 20 } = params;
  const { min = -Infinity, max = Infinity } = params;
  switch (name) {
    case "leaky_relu":
      return (x) => (x < 0 ? x * slope : x);
    case "elu":
      return (x) => scale * (x < 0 ? alpha * Math.expm1(x * rate) : x);
    case "clamp":
      return (x) => (x < min ? min : x > max ? max : x);
    case "softplus":
      return (x) => (x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta);
    default:
      return Object.hasOwn(plain, name) ? plain[name] : undefined;
  }
}

const pairs: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: Math.pow,
  atan2: Math.atan2,
  max: Math.max,
  min: Math.min,
  remainder: (a, b) => {
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  logaddexp: (a, b) =>
    a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))),
  gt: (a, b) => Number(a > b),
  ge: (a, b) => Number(a >= b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
};

/** A function of two numbers; undefined for an unknown name. */
export function binaryFunction(name: string): ((a: number, b: number) => number) | undefined {
  return Object.hasOwn(pairs, name) ? pairs[name] : undefined;
}

/** Rounds halves to even, as PyTorch and unlike JavaScript. */
function roundEven(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** The error function to single precision: a series near 0, a continued fraction elsewhere. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 4) return Math.sign(x);
  const square = x * x;
  if (size < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-9 * Math.abs(sum); n++) {
      term *= -square / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 30; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-square) / (Math.sqrt(Math.PI) * (size + fraction)));
}
