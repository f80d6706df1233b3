suppressPackageStartupMessages(library(survival))
adtte <- read("adtte.csv")
final <- days[length(days)] / (days_per_year / 12)  # month of the last visit
near <- 1e-6

# the children whose time to one endpoint is analysed; a time before the planned last infusion counts as 0
followed <- function(code, clock) {
  rows <- adtte[adtte$PARAMCD == code & adtte$ANL01FL %in% "Y", ]
  data.frame(time = pmax(as.numeric(rows[[clock]]), 0), event = as.numeric(rows$CNSR %in% 0), arm = rows$TRT01P)
}
horizon <- function(code) {
  found <- suppressWarnings(max(adtte$HORIZON[adtte$PARAMCD == code], na.rm = TRUE))
  if (is.finite(found)) found else final
}
curve <- function(d) survfit(Surv(time, event) ~ 1, d)
remitted <- function(fit, at) 1 - summary(fit, times = at + near, extend = TRUE)$surv
# whether the curve reaches a month: later times follow, or everybody remitted before
reaches <- function(d, at) nrow(d) > 0 && (max(d$time) > at - near || min(curve(d)$surv) < near)
mean_time <- function(d, until) summary(curve(d), rmean = until)$table[["rmean"]]

for (k in seq_len(nrow(curves))) {
  d <- followed(curves$code[k], curves$clock[k])
  for (arm in names(arms)) {
    here <- d[d$arm %in% arms[arm], ]
    key <- paste0("ttr.", curves$key[k])
    answer(paste0(key, ".events.", arm), sum(here$event))
    nobody <- nrow(here) == 0 || (all(here$time == 0) && !any(here$event == 1))
    answer(paste0(key, ".median.", arm), if (nobody) NA else quantile(curve(here), 0.5)$quantile[[1]])
    known <- !nobody && any(here$time <= final + near) && reaches(here, horizon(curves$code[k]))
    answer(paste0(key, ".month12.", arm), if (known) 100 * remitted(curve(here), final) else NA)
  }
}

# the arms beside each other up to the last month from which remission could still be seen
for (k in which(curves$compared)) {
  d <- followed(curves$code[k], curves$clock[k])
  of <- lapply(arms, function(arm) d[d$arm %in% arm, ])
  end <- horizon(curves$code[k])
  known <- end > 0 && all(sapply(of, reaches, end))
  key <- paste0("ttr.", curves$key[k])
  answer(paste0(key, ".month12_difference"),
         if (known) 100 * (remitted(curve(of$msc), end) - remitted(curve(of$placebo), end)) else NA)
  answer(paste0(key, ".rmst_difference"), if (known) mean_time(of$msc, end) - mean_time(of$placebo, end) else NA)
}

d <- followed("UPCRC", "AVAL")
if (length(unique(d$arm)) == 2 && any(d$event == 1)) {
  test <- survdiff(Surv(time, event) ~ arm, d)
  answer("ttr.confirmed.logrank.statistic", test$chisq)
  answer("ttr.confirmed.logrank.p", pchisq(test$chisq, 1, lower.tail = FALSE))
}
