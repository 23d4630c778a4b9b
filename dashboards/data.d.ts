// The types of what the data scripts hold, which dashboards/site.py and dashboards/data.py write.

/** A table in columns; `rowsOf` returns its rows. */
type Columns<Row> = { [Name in keyof Row]?: Row[Name][] };

interface Interval {
  value: number | null;
  low: number | null;
  high: number | null;
  /** Whether other programs disturbed all measurements: the figure has no rank. */
  disturbed?: boolean;
}

type Estimate = [
  value: number,
  low: number | null,
  high: number | null,
  n: number,
  disturbed?: number,
];
/** A place on an axis, or a group of examples, and an estimate. */
type PlacedEstimate = [place: string, ...Estimate];

// ---- data/index.js ----

interface Measure {
  key: string;
  title: string;
  unit: string;
  /** A figure in the record, divided by the scale, is in the unit. */
  scale: number;
  /** The significant digits of its figures; a score and a ratio have decimals instead. */
  digits?: number;
  decimals?: number;
  higher_is_better: boolean;
}

/** Records that may be drawn in one picture, and the machine whose costs are shown. */
interface Comparison {
  /** Final runs of a frozen benchmark, measurements of costs, or trials, which are no results. */
  kind: "final" | "costs" | "trial";
  /** The full name, unique among all comparisons. */
  title: string;
  /** A short name, unique among the comparisons of the subject. */
  name: string;
  subject: string;
  form: "encoder" | "decoder" | "encoder_decoder";
  mode: "train" | "probe" | "decode";
  task: string;
  source: string;
  model_size: string;
  /** The model size and what it means: layers, width, and weights without embedding and head. */
  model: string;
  steps: number;
  benchmark: string;
  split: "test" | "validation" | "";
  /** Why no entry has a rank, "" if entries may have one. */
  why_unranked: string;
  precision: string;
  backend: string;
  batch: string;
  /** The numbers of the comparisons that have its costs, the preferred ones first. */
  costs: number[];
  /** Whether the data are files of the user, and the command of the newest run on them. */
  is_own: boolean;
  command: string;
  machine: string;
  threads: number;
  session: string;
  protocol: number;
  metric: string;
  higher_is_better: boolean;
  share: boolean;
  /** The decimals that all its scores share. */
  decimals: number;
}

/** An architecture with its options and methods, and how it is drawn. */
interface Entry {
  name: string;
  architecture: string;
  color: string;
  symbol: string;
  /** The outline of the symbol as an SVG path in a box of 10 by 10. */
  outline: string;
  /** "solid", or the lengths of dashes and gaps as "8px,4px". */
  dash: string;
  control: boolean;
  about: string;
}

interface RunRow {
  comparison: number;
  entry: number;
  length: number;
  batch: number;
  status: string;
  reason: string;
  run: string;
}

/** An estimate at one length and batch size, of one measure of one entry. */
interface Point extends Interval {
  comparison: number;
  value: number;
  entry: number;
  length: number;
  batch: number;
  /** The place of the measure in `measures`, or -1 for quality. */
  measure: number;
  n: number;
}

/** A predicted cost with its 90% interval; `n` is 0. */
type Prediction = Point;

/** A figure of an entry at a length, from the runs of one commit. */
interface Moment extends Interval {
  comparison: number;
  entry: number;
  length: number;
  measure: number;
  /** The day and the start of the commit. */
  commit: string;
  n: number;
}

/** Where quality and a cost are known of several entries at a length. */
interface Tradeoff {
  comparison: number;
  length: number;
  measure: number;
  /** The comparison that has the costs. */
  source: number;
  /** The entries that no other beats in both. */
  front: number[];
}

interface BoardRow extends Interval {
  entry: number;
  rank: number | null;
  n: number;
  /** The smallest difference to the leader of the rank that would have been separated; a ratio. */
  detectable: number | null;
  note: string;
  superseded: string;
  parameters: number | null;
  seconds: number | null;
  date: string;
  run: string;
  digest: string;
  sessions: number;
  /** The standard deviation of the logarithms of the sessions' means. */
  between: number | null;
  /** By evaluation length, the score and why some seeds have none, or why there is none at all. */
  tested: Record<string, string | (Interval & { missing: string })>;
}

interface BoardData {
  comparison: number;
  length: number;
  batch: number;
  metric: string;
  /** The detectable difference, or for costs the detectable ratio. */
  detectable: number | null;
  rows: Columns<BoardRow>;
}

/** The best entry at one task and length of a benchmark. */
interface WinnerData extends Interval {
  task: string;
  length: number;
  steps: number;
  /** The number of updates, where the task has several such numbers; otherwise empty. */
  updates: string;
  benchmark: string;
  metric: string;
  entry: string;
  /** The entries that are not separated from it, and the difference that would separate them. */
  tied: [entry: string, detectable: number | null][];
  next: string | null;
  gap: number | null;
  detectable: number | null;
  marks: string[];
}

/** All entries of a task with one number of updates. */
interface QualityTableData {
  task: string;
  steps: number;
  updates: string;
  metric: string;
  lengths: number[];
  /** The decimals that all its scores share. */
  decimals: number;
  /** The score of a trivial predictor at each length. */
  trivial: (number | null)[];
  detectable: (number | null)[];
  rows: {
    entry: string;
    /** At each length. */
    places: ({ rank: number | null; score: Interval | null; marks: string[] } | null)[];
    /** How much better the score is at the longest length than at the shortest. */
    gain: Interval | null;
  }[];
}

/** The best scores that each entry has reached at each length, against quiet time of training. */
interface TrainingTimesData {
  task: string;
  metric: string;
  /** The session that measured the speeds. */
  session: string;
  lines: {
    entry: string;
    length: number;
    seconds: number[];
    scores: number[];
    /** All updates of the training that a score is of. */
    steps: number[];
  }[];
}

/** The sizes and the costs of the entries of one form of model. */
interface CostTableData {
  form: string;
  rows: {
    entry: string;
    /** The smallest and the largest number of weights without embedding and head. */
    parameters: [least: number, most: number] | null;
    /** For each of the table's `costs`, its multiple of `vanilla`'s at each of `lengths`. */
    costs: (number | null)[][];
    rates: number | null;
  }[];
  costs: string[];
  lengths: number[];
  sessions: string;
  spread: string;
}

/** The leaderboard of a ranked benchmark. */
interface LeaderboardData {
  label: string;
  summary: string;
  /** Sentences on the runs: their steps, those of earlier versions, and what is missing. */
  about_runs: string;
  machines: string[];
  latest: string;
  titles: Record<string, string>;
  winners: WinnerData[];
  quality: QualityTableData[];
  times: TrainingTimesData[];
  costs: CostTableData[];
}

/** The search for the learning rate of one entry. */
interface RateSearch {
  task: string;
  title: string;
  sequence_length: number;
  data: string;
  entry: string;
  metric: string;
  higher_is_better: boolean;
  learning_rate: number;
  /** The mean validation score of the chosen rate in the last stage. */
  score: number | null;
  window: number | null;
  cost: number | null;
  num_trials: number;
  tried: { learning_rate: number; steps: number; validation: number | null; num_seeds: number }[];
}

interface SiteData {
  measures: Measure[];
  /** In the order in which the pages prefer them. */
  comparisons: Comparison[];
  entries: Entry[];
  runs: Columns<RunRow>;
  points: Columns<Point>;
  boards: BoardData[];
  leaderboards: LeaderboardData[];
  learning_rates: RateSearch[];
  tradeoffs: Columns<Tradeoff>;
  /** By ability and entry, whether the diagnostics say that an entry has it, and how. */
  abilities: Record<string, Record<string, { solves: boolean; text: string }>>;
  diagnosed: string[];
  trials: { task: string; subject: string; text: string }[];
  /** The first run of each bundle, and the name of its script in data/runs/. */
  bundles: [first: string, name: string][];
}

// ---- data/findings.js ----

interface Growth extends Interval {
  comparison: number;
  entry: string;
  measure: string;
  rounds: number;
  first: number;
  last: number;
  claim: string;
  contradicted: boolean;
}

interface Crossing {
  comparison: number;
  measure: string;
  behind: string;
  ahead: string;
  /** Where `ahead` overtakes `behind`, is overtaken by it, and so on. */
  changes: Interval[];
  first: number;
  last: number;
}

interface Pair extends Interval {
  comparison: number;
  measure: number;
  length: number;
  batch: number;
  first: string;
  second: string;
  n: number | null;
  better: string | null;
}

/** The ratio of a cost to that of the same cell on the baseline's backend and precision. */
interface BackendRatio extends Interval {
  comparison: number;
  baseline: number;
  entry: string;
  sequence_length: number;
  measure: string;
  hours_apart: number;
}

interface Findings {
  growth: Columns<Growth>;
  crossings: Columns<Crossing>;
  pairs: Columns<Pair>;
  backends: Columns<BackendRatio>;
  /** By entry, the interquartile mean of its shares of the best score, and the number of boards. */
  shares: Record<string, [mean: number, boards: number]>;
}

// ---- data/reports.js, data/diagnostics.js and data/methods.js ----

/** A report of one entry at one length by group of examples: means over seeds. */
interface ReportData {
  comparison: number;
  length: number;
  entry: number;
  name: string;
  /** The figures of each group by name, "" if a group has one figure. */
  figures: Record<string, PlacedEstimate[]>;
  /** Why the model is not applicable to some groups. */
  reasons: Record<string, string>;
}

/** The figures of an entry, or of an evaluation length in a chart by depth. */
interface ChartEntry {
  name: string;
  entry: number | null;
  points: PlacedEstimate[];
  /** Why the entry has no figure at some places. */
  reasons: Record<string, string>;
}

interface Chart {
  title: string;
  /** A metric, or in a chart against the context the key of a cost. */
  measure: string;
  against: keyof typeof AGAINST;
  comparison: number;
  /** The training length; the longest one in a chart against it; 0 for decodings. */
  length: number;
  entries: ChartEntry[];
  /** The score of a guess among the answers of an example, by place. */
  guesses?: [string, number][];
  entry?: number | null;
  /** Whether the measure is a share, or a scaled accuracy. */
  share?: boolean;
  /** What the intervals leave out, and the number of test examples; empty if there is no more. */
  note?: string;
  /** Whether more is better, if the comparison does not tell. */
  higher_is_better?: boolean;
}

interface SolvedRow {
  entry: number;
  length: number;
  /** The mean, without an interval where some seeds solve the task and others do not. */
  score: Estimate | null;
  solved: Estimate | null;
  /** The median number of steps until solved; null if unknown, or if most seeds never solve it. */
  steps: number | null;
  never: boolean;
  effective: string;
  state: number | null;
  note: string;
}

interface Diagnostics {
  sections: { title: string; command: string; charts: Chart[] }[];
  tasks: { title: string; comparison: number; solved_at: number; rows: SolvedRow[] }[];
}

interface MethodEffect {
  entry: number;
  /** The entry without the method; null if there is no such entry. */
  reference: number | null;
  length: number;
  score: Estimate | null;
  /** The difference of the scores; positive is better. */
  gain: Estimate | null;
  /** Multiples of the reference's costs, in the order of `Methods.prices`. */
  prices: (Estimate | null)[];
}

/** The scores of an entry at a length by the strength of a disturbance, or by the size of the data. */
interface ScoresBy {
  entry: number;
  disturbance?: string;
  length: number;
  points: PlacedEstimate[];
}

interface MethodComparison {
  comparison: number;
  effects: MethodEffect[];
  conditions: ScoresBy[];
  sizes: ScoresBy[];
}

interface Methods {
  prices: string[];
  comparisons: MethodComparison[];
}
