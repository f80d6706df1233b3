adsl <- read("adsl.csv")
adlb <- read("adlb.csv")
last <- length(days)  # AVISITN of month 12; 0 is baseline

# One measure, a row a child and visit. On a ratio scale a zero counts as half the smallest positive value.
measured <- function(paramcd, ratio) {
  rows <- adlb[adlb$PARAMCD == paramcd & adlb$ANL01FL %in% "Y" & adlb$USUBJID %in% adsl$USUBJID, ]
  value <- as.numeric(rows$AVAL)
  zero <- ratio & value %in% 0
  value[zero] <- if (any(value > 0, na.rm = TRUE)) min(value[value > 0], na.rm = TRUE) / 2 else NA
  d <- data.frame(child = rows$USUBJID, visit = rows$AVISITN, value = value, bound = zero | rows$LOQFL %in% "Y")
  d <- d[!is.na(d$value), ]
  before <- d[d$visit == 0, ]
  d$arm <- adsl$TRT01P[match(d$child, adsl$USUBJID)]
  d$ras <- as.numeric(adsl$RASFL[match(d$child, adsl$USUBJID)] %in% "Y")
  d$base <- before$value[match(d$child, before$child)]
  d$bound <- d$bound | before$bound[match(d$child, before$child)] %in% TRUE
  d$y <- if (ratio) log(d$value) - log(d$base) else d$value - d$base
  d
}

alike <- function(x) diff(range(x)) < 1e-12

# Mean change at month 12 by arm with t intervals, and Welch's for the difference.
month12 <- function(d, key, ratio) {
  back <- if (ratio) exp else identity
  here <- d[d$visit == last & !is.na(d$y), ]
  of <- lapply(arms, function(arm) here[here$arm %in% arm, ])
  for (arm in names(arms)) {
    y <- of[[arm]]$y
    answer(paste0(key, ".", arm, "_n"), length(y))
    answer(paste0(key, ".", arm), if (length(y)) back(mean(y)) else NA)
    wide <- length(y) > 1 && !alike(y) && !all(of[[arm]]$bound)
    limits(paste0(key, ".", arm), if (wide) back(t.test(y)$conf.int) else c(NA, NA))
  }
  there <- all(sapply(of, function(x) nrow(x) > 0 && !all(x$bound)))
  answer(paste0(key, ".between"), if (there) back(mean(of$msc$y) - mean(of$placebo$y)) else NA)
  wide <- there && min(sapply(of, nrow)) > 1 && !(alike(of$msc$y) && alike(of$placebo$y))
  limits(paste0(key, ".between"), if (wide) back(t.test(of$msc$y, of$placebo$y)$conf.int) else c(NA, NA))
}

for (k in seq_len(nrow(measures))) {
  ratio <- measures$ratio[k]
  key <- paste0("longitudinal.", measures$key[k])
  d <- measured(measures$paramcd[k], ratio)
  after <- d[d$visit > 0, ]
  answer(paste0(key, ".values"), nrow(after))
  answer(paste0(key, ".planned"), nrow(adsl) * last)
  answer(paste0(key, ".share"), 100 * nrow(after) / (nrow(adsl) * last))
  final <- after[order(after$child, -after$visit), ]
  final <- final[!duplicated(final$child), ]
  for (arm in names(arms)) {
    before <- d$value[d$visit == 0 & d$arm %in% arms[arm]]
    mean_before <- if (ratio) exp(mean(log(before))) else mean(before)
    answer(paste0(key, ".baseline.", arm), if (length(before)) mean_before else NA)
    better <- measures$better[k] * (if (ratio) final$value / final$base - 1 else final$value - final$base) > 0
    answer(paste0(key, ".better_at_last.", arm), sum(better & final$arm %in% arms[arm], na.rm = TRUE))
  }
  month12(d, paste0(key, if (ratio) ".ratio_month12" else ".change_month12"), ratio)
}

# ANCOVA of the change of log UPCR at month 12
d <- measured(measures$paramcd[measures$key == "upcr"], TRUE)
d$active <- as.numeric(d$arm %in% arms["msc"])
here <- d[d$visit == last & !is.na(d$y), ]
adjusted <- strata && length(unique(adsl$RASFL %in% "Y")) > 1
if (length(unique(here$active)) == 2 && nrow(here) > 3 + adjusted) {
  fit <- lm(if (adjusted) y ~ log(base) + active + ras else y ~ log(base) + active, here)
  answer("longitudinal.upcr.ancova.month12", exp(coef(fit)[["active"]]))
  limits("longitudinal.upcr.ancova.month12", exp(confint(fit)["active", ]))
}

# MMRM of log UPCR: baseline and arm at each visit, unstructured covariance, REML
after <- d[d$visit > 0 & !is.na(d$y), ]
after <- after[order(after$child, after$visit), ]
one <- after[!duplicated(after$child), ]
after$centred <- log(after$base) - mean(log(one$base))
after$ras <- after$ras - mean(one$ras)
after$at <- factor(after$visit)
gaps <- diff(days)
average <- (c(gaps, 0) + c(0, gaps)) / (2 * sum(gaps))
model <- if (adjusted) y ~ 0 + at + at:centred + at:active + ras else y ~ 0 + at + at:centred + at:active
complete <- nlevels(after$at) == last && length(unique(after$active)) == 2
unlike <- function(why) tell("MMRM not compared:", why)
if (!complete) {
  unlike("a visit or an arm has no value")
} else if (!unstructured) {
  unlike("ours fell back to a simpler covariance")
} else if (requireNamespace("mmrm", quietly = TRUE)) {
  tell("MMRM: R package mmrm, Kenward-Roger linear")
  after$who <- factor(after$child)
  fit <- mmrm::mmrm(update(model, . ~ . + us(at | who)), after, method = "Kenward-Roger-Linear")
  effects <- paste0("at", levels(after$at), ":active")
  for (name in c("month12", "average")) {
    weights <- setNames(numeric(length(coef(fit))), names(coef(fit)))
    weights[effects] <- if (name == "average") average else as.numeric(seq_len(last) == last)
    found <- mmrm::df_1d(fit, weights)
    key <- paste0("longitudinal.upcr.mmrm.", name)
    answer(key, exp(found$est))
    answer(paste0(key, "_df"), found$df)
    limits(key, exp(found$est + c(-1, 1) * qt(0.975, found$df) * found$se))
  }
} else {
  tell("MMRM: package mmrm is not installed; gls of nlme instead, on estimates and its own standard errors")
  suppressPackageStartupMessages(library(nlme))
  after$place <- as.integer(after$at)
  fit <- try(gls(model, after, corSymm(form = ~ place | child), varIdent(form = ~ 1 | at), method = "REML",
                 control = glsControl(maxIter = 200, msMaxIter = 500)), silent = TRUE)
  if (inherits(fit, "try-error")) unlike("gls does not converge") else {
    effects <- paste0("at", levels(after$at), ":active")
    for (name in c("month12", "average")) {
      weights <- if (name == "average") average else as.numeric(seq_len(last) == last)
      key <- paste0("longitudinal.upcr.mmrm.", name)
      answer(key, exp(sum(weights * coef(fit)[effects])))
      answer(paste0(key, ":se"), sqrt(sum(weights * (vcov(fit)[effects, effects] %*% weights))))
    }
  }
}

# Slope of eGFR a year: random intercept and slope by lme; degrees of freedom by Satterthwaite
suppressPackageStartupMessages(library(nlme))
d <- measured(measures$paramcd[measures$key == "egfr"], FALSE)
d <- d[!is.na(d$base), ]
d$active <- as.numeric(d$arm %in% arms["msc"])
d$years <- c(-infusion_gap, days)[d$visit + 1] / days_per_year
fit <- if (length(unique(d$active)) == 2) try(silent = TRUE,
  lme(value ~ years * active, d, ~ years | child, method = "REML", control = lmeControl(maxIter = 200, msMaxIter = 200)))
if (is.null(fit) || inherits(fit, "try-error")) tell("slopes of eGFR not compared: lme does not converge") else {
  X <- model.matrix(~ years * active, d)
  children <- split(seq_len(nrow(d)), d$child)
  # of four variances: intercept, slope, their covariance, residual
  precision <- function(v) {
    whole <- 0
    for (rows in children) {
      Z <- cbind(1, d$years[rows])
      V <- Z %*% matrix(v[c(1, 3, 3, 2)], 2) %*% t(Z) + diag(v[4], length(rows))
      y <- cbind(X[rows, , drop = FALSE], d$value[rows])
      whole <- whole + rbind(crossprod(y, solve(V, y)), 0)
      whole[6, 1] <- whole[6, 1] + determinant(V)$modulus
    }
    whole
  }
  deviance <- function(v) {
    a <- precision(v)
    a[6, 1] + determinant(a[1:4, 1:4])$modulus + a[5, 5] - sum(a[1:4, 5] * solve(a[1:4, 1:4], a[1:4, 5]))
  }
  G <- getVarCov(fit)
  start <- c(G[1, 1], G[2, 2], G[1, 2], fit$sigma^2)
  scale <- abs(start)
  best <- optim(start / scale, function(s) deviance(s * scale), method = "BFGS", control = list(reltol = 1e-14))
  information <- optimHess(best$par, function(s) deviance(s * scale)) / 2
  covariance <- function(s) solve(precision(s * scale)[1:4, 1:4])
  effect <- solve(precision(best$par * scale)[1:4, 1:4], precision(best$par * scale)[1:4, 5])
  for (name in c("placebo", "msc", "difference")) {
    w <- list(placebo = c(0, 1, 0, 0), msc = c(0, 1, 0, 1), difference = c(0, 0, 0, 1))[[name]]
    variance <- function(s) sum(w * (covariance(s) %*% w))
    slope <- sapply(1:4, function(k) {
      h <- 1e-4 * (1:4 == k)
      (variance(best$par + h) - variance(best$par - h)) / 2e-4
    })
    v <- variance(best$par)
    df <- 2 * v^2 / sum(slope * solve(information, slope))
    key <- paste0("longitudinal.egfr.slope.", name)
    answer(key, sum(w * effect))
    answer(paste0(key, "_df"), df)
    if (name == "difference") limits(key, sum(w * effect) + c(-1, 1) * qt(0.975, df) * sqrt(v))
  }
}
