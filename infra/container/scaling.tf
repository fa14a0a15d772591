# Adds one or three containers while the oldest message of a queue is too old, and removes one at a time when all queues are
# up to date.

locals {
  scaled = var.at_most > var.at_least ? aws_ecs_service.this : {}
  ups    = { for pair in setproduct(keys(local.scaled), keys(var.queues)) : pair[1] => pair[0] }
}

resource "aws_appautoscaling_target" "this" {
  for_each           = local.scaled
  service_namespace  = "ecs"
  resource_id        = "service/${local.cluster}/${each.value.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.at_least
  max_capacity       = var.at_most
}

resource "aws_appautoscaling_policy" "up" {
  for_each           = aws_appautoscaling_target.this
  name               = "${local.name}-up"
  policy_type        = "StepScaling"
  service_namespace  = each.value.service_namespace
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 120

    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = var.queue_age * 4
      scaling_adjustment          = 1
    }

    step_adjustment {
      metric_interval_lower_bound = var.queue_age * 4
      scaling_adjustment          = 3
    }
  }
}

resource "aws_appautoscaling_policy" "down" {
  for_each           = aws_appautoscaling_target.this
  name               = "${local.name}-down"
  policy_type        = "StepScaling"
  service_namespace  = each.value.service_namespace
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 300

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "behind" {
  for_each            = local.ups
  alarm_name          = "${local.name}-behind-${each.key}"
  alarm_description   = "Adds containers: the oldest message of the queue is too old."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = var.queues[each.key].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.queue_age
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.up[each.value].arn]
}

# The maximum over all queues, so that containers stay while any queue lags.
resource "aws_cloudwatch_metric_alarm" "idle" {
  for_each            = length(var.queues) == 0 ? {} : aws_appautoscaling_policy.down
  alarm_name          = "${local.name}-idle"
  alarm_description   = "Removes containers: no queue has an old message."
  evaluation_periods  = 10
  comparison_operator = "LessThanThreshold"
  threshold           = var.queue_age / 4
  treat_missing_data  = "breaching"
  alarm_actions       = [each.value.arn]

  metric_query {
    id          = "oldest"
    expression  = "MAX(METRICS())"
    label       = "age of the oldest message"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = var.queues

    content {
      id = "q${substr(md5(metric_query.key), 0, 12)}"

      metric {
        namespace   = "AWS/SQS"
        metric_name = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = metric_query.value.name }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}
