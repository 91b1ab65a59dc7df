"""What each message reveals to whoever receives it, in words: for ledgers, and for people who read them.

``docs/protocol.md`` says the same at more length; a test holds it to this table.
"""

from __future__ import annotations

REVEALS: dict[str, str] = {
    "Hello": "which release the label party runs",
    "Welcome": "the same of the feature party; its clock; what it allows this peer",
    "ProposeContract": "all terms, so also who the other feature parties are and which columns or groups of "
    "theirs are asked for, as far as they show names",
    "ContractAnswered": "that the rules allow it; how many people have to approve still",
    "OpenAlignment": "how many usable customers the label party has; how keys are made",
    "AlignmentOpened": "how many usable customers the feature party has",
    "MaskPoints": "nothing but their number",
    "PointsMasked": "nothing by itself; needed to compare",
    "FetchPoints": "nothing",
    "PointsFetched": "which of the label party's customers the feature party knows",
    "FixAlignment": "which of the feature party's customers are the label party's",
    "AlignmentFixed": "nothing new",
    "OpenTraining": "which aligned rows train and which validate; how many rows train in all, those outside "
    "the alignment included; number of trees, depth and bins; two bounds, each a power of two",
    "TrainingOpened": "how many columns there are, the number of bins of each: for a column of few "
    "values, how many it has; and how many of them a guard made coarser",
    "OpenTree": "which rows and columns this tree samples",
    "TreeOpened": "nothing new",
    "Gradients": "nothing: Paillier ciphertexts with fresh randomness",
    "GradientsTaken": "nothing new",
    "SumRoot": "that the ciphertexts of the tree are complete",
    "GrowLevel": "which of its columns won at which bin; which of its rows share a node",
    "LevelGrown": "which aligned rows go left at each split that the feature party won; "
    "the sums of g and of h in every bin of every column of the tree for each node asked",
    "CloseTraining": "how many trees the model has (early stopping)",
    "TrainingClosed": "nothing new: the number of splits kept",
    "OpenBinning": "which aligned rows are counted; to a factor of two, how many rows are counted in all and "
    "the largest sample weight",
    "BinningOpened": "how many columns there are, and how many pre-bins of at least the owner's minimum of "
    "rows each has",
    "LabelCounts": "nothing: Paillier ciphertexts with fresh randomness",
    "LabelCountsTaken": "nothing new",
    "SumBins": "that the ciphertexts are complete",
    "BinsSummed": "how many rows, and how many with label 1, each pre-bin of each column holds",
    "FixBinning": "which of its columns have information and their order; "
    "the share of label 1 in each of its own bins",
    "BinningFixed": "which of the offered columns repeat better ones of the party, or are constant",
    "OpenLinear": "how many customers the label party trains on in all; the penalties, the tolerance and the "
    "most rounds",
    "LinearOpened": "how many columns there are",
    "OpenRound": "its own coefficients so far",
    "RoundOpened": "nothing new",
    "Curvatures": "nothing: Paillier ciphertexts with fresh randomness",
    "CurvaturesTaken": "nothing new",
    "Residuals": "nothing: Paillier ciphertexts with fresh randomness",
    "ResidualsTaken": "nothing new",
    "AskMaskedSums": "that the ciphertexts of the round are complete",
    "MaskedSums": "nothing: numbers spread evenly modulo n, whatever the label party can compute",
    "GiveUnmasked": "after unmasking its own gradient",
    "DirectionOffered": "one combination of the feature party's columns for every customer",
    "CloseLinear": "its own coefficients",
    "LinearClosed": "how many it has offered; what the means of its columns add to the predictor; what a "
    "customer that it does not know adds",
    "OpenShared": "how many customers the label party trains on, how many coordinates it has, their largest "
    "value to a power of two; the penalty",
    "SharedOpened": "the number of columns; the variances of the feature party's principal components",
    "LabelRows": "nothing: Paillier ciphertexts with fresh randomness",
    "LabelRowsTaken": "nothing new",
    "AskCrossSums": "that all rows have been sent",
    "CrossSumsGiven": "correlations of the label party's columns with the feature party's rotated "
    "coordinates",
    "GivePlan": "of the label party's columns what SharedOpened and CrossSumsGiven tell of the feature "
    "party's; the mean predictor of the label party's own model, so about the share of positives; its "
    "least curvature",
    "PlanTaken": "nothing new",
    "OpenStep": "nothing",
    "StepOpened": "a share of every row's predictor, spread evenly over the period whatever the predictor",
    "GivePredictors": "a share of every row's predictor, spread evenly over the period whatever the "
    "predictor",
    "PredictorsTaken": "nothing new",
    "ExchangeWaves": "nothing",
    "WavesExchanged": "nothing",
    "AskGradient": "that all waves have been sent",
    "GradientGiven": "shares of the gradient: masked by 64 bits more than any sum has",
    "GiveGradient": "shares of the gradient: masked by 64 bits more than any sum has",
    "GradientTaken": "nothing new",
    "CloseShared": "its own coefficients, after the last step and before it",
    "SharedClosed": "its own coefficients, after the last step and before it; how far the last step moved "
    "one of the feature party's; what the means of its columns add to the predictor, and what an unknown "
    "customer does",
    "OpenScoring": "that these aligned customers may be scored with this model from now on",
    "ScoringOpened": "the names that the feature party chose, and which of its columns share one",
    "AskDirections": "exactly who is scored, when, and how often",
    "DirectionsGiven": "on which side of every split each asked customer lies",
    "AskPartialScores": "exactly who is scored, when, and how often",
    "PartialScoresGiven": "one float64 for each asked customer and name: an exact combination of the "
    "customer's columns with weights that are not told",
    "CloseScoring": "nothing",
    "ScoringClosed": "nothing",
    "AskShare": "that the label party wants the share",
    "ShareGiven": "the feature party's whole share",
    "CloseLedger": "nothing new: numbers and digests of the job's messages, and a hash of the ledger",
    "LedgerClosed": "nothing: a hash of the ledger",
    "Refusal": "what the label party did wrong, in full; of the feature party's own faults only that there "
    "was one",
}
"""By kind of message, what it tells its receiver."""
