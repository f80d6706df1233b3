adsl <- read("adsl.csv")
adlb <- read("adlb.csv")
adtte <- read("adtte.csv")

# Boschloo's test: the one-sided Fisher p orders all tables; the largest chance, over the probability that both arms
# share, of a table at least as extreme; twice the smaller side.
boschloo <- function(x0, n0, x1, n1) {
  tables <- expand.grid(a = 0:n0, b = 0:n1)
  one_side <- function(better) {
    x <- if (better) tables$b else tables$a
    n <- if (better) c(n1, n0) else c(n0, n1)
    fisher <- phyper(x - 1, n[1], n[2], tables$a + tables$b, lower.tail = FALSE)
    here <- fisher[tables$a == x0 & tables$b == x1]
    extreme <- tables[fisher <= here * (1 + 1e-7), ]
    chance <- function(p) sum(dbinom(extreme$a, n0, p) * dbinom(extreme$b, n1, p))
    grid <- seq(0, 1, length.out = 1001)
    values <- sapply(grid, chance)
    peaks <- order(-values)[1:5]
    around <- function(k) pmin(pmax(grid[k] + c(-0.002, 0.002), 0), 1)
    near <- function(k) optimize(chance, around(k), maximum = TRUE, tol = 1e-10)$objective
    max(values, sapply(peaks, near))
  }
  min(1, 2 * min(one_side(TRUE), one_side(FALSE)))
}

# x with it, n of the set, seen assessed at all, by arm: an arm nobody of which was assessed has no rate
share <- function(one) if (one["n"] > 0 && one["seen"] > 0) 100 * one[["x"]] / one[["n"]] else NA
tally <- function(arm, inside, event, seen)
  lapply(arms, function(name) { w <- arm %in% name & inside; c(x = sum(event & w), n = sum(w), seen = sum(seen & w)) })
rates <- function(key, found) {
  for (arm in names(arms)) answer(paste0(key, ".", arm), share(found[[arm]]))
  answer(paste0(key, ".difference"), share(found$msc) - share(found$placebo))
}
test <- function(found)
  if (is.na(share(found$msc) - share(found$placebo))) NA else
    boschloo(found$placebo[["x"]], found$placebo[["n"]], found$msc[["x"]], found$msc[["n"]])

# from ADTTE; everyone: of all randomised, who is not evaluable is without
by_time <- function(code, everyone, children = adsl$USUBJID) {
  rows <- adtte[adtte$PARAMCD == code & adtte$USUBJID %in% children, ]
  evaluable <- rows$ANL01FL %in% "Y"
  event <- rows$CNSR %in% 0 & evaluable
  after_zero <- !is.na(rows$CNFMONTH) & rows$CNFMONTH > 0
  tally(rows$TRT01P, evaluable | everyone, event, evaluable & (event | after_zero))
}
# from ADLB: the state at a visit; "" where there is none
state <- function(paramcd, visit) {
  rows <- adlb[adlb$PARAMCD == paramcd & adlb$ANL01FL %in% "Y" & adlb$AVISITN == visit, ]
  rows$AVALCAT1[match(adsl$USUBJID, rows$USUBJID)]
}
good <- c("complete", "partial", "remission", "improved")
at_visit <- function(paramcd, visit, inside) {
  s <- state(paramcd, visit)
  tally(adsl$TRT01P, inside, s %in% good, !is.na(s))
}

# the primary endpoint: confirmed remission by UPCR in all randomised
primary <- by_time("UPCRC", TRUE)
for (arm in names(arms)) {
  key <- paste0("remission.primary.", arm)
  answer(paste0(key, ".n"), primary[[arm]][["x"]])
  answer(paste0(key, ".N"), primary[[arm]][["n"]])
  answer(paste0(key, ".share"), share(primary[[arm]]))
}
answer("remission.primary.difference", share(primary$msc) - share(primary$placebo))
answer("remission.primary.p", test(primary))
rates("remission.primary.evaluable", by_time("UPCRC", FALSE))
rates("remission.per_protocol", by_time("UPCRC", TRUE, adsl$USUBJID[adsl$PPROTFL %in% "Y"]))

# five measures, four ways to count
for (k in seq_len(nrow(measures))) {
  code <- measures$endpoint[k]
  key <- paste0("remission.", tolower(code))
  for (kind in names(kinds)) rates(paste0(key, ".", kind), by_time(paste0(code, kinds[[kind]]), measures$everyone[k]))
  evaluable <- adsl$USUBJID %in% adtte$USUBJID[adtte$PARAMCD == paste0(code, "C") & adtte$ANL01FL %in% "Y"]
  rates(paste0(key, ".month12"), at_visit(measures$paramcd[k], length(days), evaluable | measures$everyone[k]))
}

# in remission by UPCR at each visit, of all randomised
everybody <- rep(TRUE, nrow(adsl))
for (k in seq_along(days)) rates(paste0("remission.visit.", visits[k]), at_visit("PROTCRT", k, everybody))

rates("remission.ever", by_time("UPCRF", TRUE))

# the fixed sequence: confirmed, time-weighted mean of log UPCR (trapezoid, a value behind month 6), month 12
answer("remission.sequence.confirmed.estimate", share(primary$msc) - share(primary$placebo))
answer("remission.sequence.confirmed.p", test(primary))
month12 <- at_visit("PROTCRT", length(days), everybody)
answer("remission.sequence.month12.estimate", share(month12$msc) - share(month12$placebo))
answer("remission.sequence.month12.p", test(month12))
upcr <- adlb[adlb$PARAMCD == "PROTCRT" & adlb$ANL01FL %in% "Y" & !is.na(adlb$AVAL), ]
upcr$AVAL[upcr$AVAL == 0] <- if (any(upcr$AVAL > 0)) min(upcr$AVAL[upcr$AVAL > 0]) / 2 else NA
weighted <- sapply(adsl$USUBJID, function(child) {
  rows <- upcr[upcr$USUBJID == child & upcr$AVISITN > 0, ]
  rows <- rows[order(rows$AVISITN), ]
  t <- days[rows$AVISITN]
  y <- log(rows$AVAL)
  if (!any(t > half_year)) return(NA)
  if (length(t) == 1) y else sum(diff(t) * (y[-1] + y[-length(y)]) / 2) / (max(t) - min(t))
})
before <- upcr[upcr$AVISITN == 0, ]
frame <- data.frame(y = as.numeric(weighted), base = log(before$AVAL[match(adsl$USUBJID, before$USUBJID)]),
                    active = as.numeric(adsl$TRT01P %in% arms["msc"]), ras = as.numeric(adsl$RASFL %in% "Y"))
adjusted <- strata && length(unique(frame$ras)) > 1
frame <- frame[!is.na(frame$y) & !is.na(frame$base), ]
if (length(unique(frame$active)) == 2 && nrow(frame) > 3 + adjusted) {
  fit <- summary(lm(if (adjusted) y ~ base + active + ras else y ~ base + active, frame))$coefficients["active", ]
  answer("remission.sequence.weighted.estimate", exp(fit[["Estimate"]]))
  answer("remission.sequence.weighted.p", fit[["Pr(>|t|)"]])
  answer("remission.sequence.weighted_hc2.estimate", exp(fit[["Estimate"]]))
}
