adsl <- read("adsl.csv")

with_flag <- function(name) adsl[[name]] %in% "Y"
answer("analysis.n_randomised", sum(with_flag("RANDFL")))
answer("analysis.n_safety", sum(with_flag("SAFFL")))
answer("analysis.n_protocol", sum(with_flag("PPROTFL")))
answer("analysis.n_evaluable", sum(with_flag("UPCRFL")))
for (arm in names(arms))
  answer(paste0("analysis.n_evaluable_", arm), sum(with_flag("UPCRFL") & adsl$TRT01P %in% arms[arm]))
